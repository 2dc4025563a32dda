SELECT *
FROM cluster('rollcall', view(
    ${entered}
))
