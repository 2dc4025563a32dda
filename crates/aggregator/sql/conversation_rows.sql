SELECT count() FROM conversations WHERE org = {org:String}
