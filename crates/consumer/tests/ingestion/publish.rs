//! What is published to a topic that takes less than most.

use consumer::Publisher;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::apache::Apache;
use crate::harness::{TIMEOUT, event, ids, lag};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_no_larger_than_its_topic_takes() {
    let kafka = Apache::get().await;
    let mut settings = kafka.topic("roomy").await;
    settings.topic = "narrow".to_owned();
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .create()
        .unwrap();
    let topic =
        NewTopic::new(&settings.topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "1000");
    let created = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    assert!(created.iter().all(Result::is_ok), "{created:?}");

    // It takes two of these as they are. Packed, they would not do as a test.
    settings
        .properties
        .insert("compression.type".to_owned(), "none".to_owned());
    let publisher = Publisher::open(&settings).await.unwrap();
    for id in ids(0..500) {
        publisher
            .publish(None, &[], Some(event(&id).as_bytes()))
            .await
            .unwrap();
    }
    publisher.flush(TIMEOUT).await.unwrap();
    assert_eq!(publisher.acknowledged(), 500);
    assert_eq!(lag(&settings).await, 500);
}
