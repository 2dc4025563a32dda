//! Both protocols of consumer groups, on Apache Kafka: the same guarantees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use consumer::GroupProtocol::{Classic, Consumer};
use consumer::{Error, GroupProtocol, Settings};
use embedded::Broker;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::apache::{Apache, Relay};
use crate::harness::{Memory, Run, event, ids, lag, publish, until};

/// What is published of a topic, and read of it by several members.
struct Published<'a> {
    settings: &'a Settings,
    count: u32,
}

impl<'a> Published<'a> {
    fn none(settings: &'a Settings) -> Self {
        Self { settings, count: 0 }
    }

    async fn more(&mut self) {
        let end = self.count + 100;
        publish(self.settings, ids(self.count..end).iter().map(|id| event(id))).await;
        self.count = end;
    }

    /// Publishes until a member reads more than it has.
    async fn until_read_by(&mut self, sink: &Memory) {
        let before = sink.kept().len();
        until("the member to have a share", async || {
            self.more().await;
            sink.kept().len() > before
        })
        .await;
    }

    async fn until_committed(&self) {
        until("everything to be committed", async || {
            lag(self.settings).await == 0
        })
        .await;
    }

    /// Everything was read by one of the members.
    fn assert_read_by(&self, sinks: &[&Memory]) {
        let mut all: Vec<_> = sinks.iter().flat_map(|sink| sink.distinct()).collect();
        all.sort();
        all.dedup();
        assert_eq!(all, ids(0..self.count));
    }
}

fn with(settings: &Settings, protocol: GroupProtocol, properties: &[(&str, &str)]) -> Settings {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Settings {
        group_protocol: protocol,
        properties: properties.iter().map(owned).collect(),
        ..settings.clone()
    }
}

/// Replaces a member, which ends by itself, by another of another protocol, or of the same.
async fn members_come_and_go(name: &str, [former, latter]: [GroupProtocol; 2]) {
    let kafka = Apache::get().await;
    let settings = kafka.topic(name).await;
    let mut published = Published::none(&settings);
    let sinks = [(); 3].map(|()| Memory::default());
    let first = Run::start(&with(&settings, former, &[]), &sinks[0]);
    published.until_read_by(&sinks[0]).await;

    let second = Run::start(&with(&settings, latter, &[]), &sinks[1]);
    published.until_read_by(&sinks[1]).await;
    let first = first.stop().await;
    published.more().await;
    published.until_committed().await;

    let third = Run::start(&with(&settings, former, &[]), &sinks[2]);
    published.until_read_by(&sinks[2]).await;
    let second = second.stop().await;
    published.more().await;
    published.until_committed().await;
    let third = third.stop().await;

    published.assert_read_by(&sinks.each_ref());
    assert_eq!((first.lost, second.lost, third.lost), (0, 0, 0));
    assert!(first.committed.len() < 6, "{first:?}");
    assert!(second.committed.len() < 6, "{second:?}");
    assert_eq!(third.committed.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_lose_nothing_under_the_classic_protocol() {
    members_come_and_go("classic", [Classic, Classic]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_lose_nothing_under_the_new_protocol() {
    members_come_and_go("consumer", [Consumer, Consumer]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_changes_its_protocol_member_by_member_and_back() {
    members_come_and_go("changes", [Classic, Consumer]).await;
}

/// A member that is not polled for longer than its group waits.
async fn a_member_stalls(name: &str, protocol: GroupProtocol) {
    let kafka = Apache::get().await;
    let settings = kafka.topic(name).await;
    let properties: &[_] = match protocol {
        Classic => &[("max.poll.interval.ms", "3000"), ("session.timeout.ms", "3000")],
        Consumer => &[("max.poll.interval.ms", "3000")],
    };
    let settings = with(&settings, protocol, properties);
    let mut published = Published::none(&settings);
    let (stalled, other) = (Memory::default(), Memory::default());
    let stalls = Arc::new(AtomicBool::new(false));
    let is_stalled = Arc::clone(&stalls);
    let hold = move || {
        while is_stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let first = Run::keep(&settings, &stalled, hold);
    published.until_read_by(&stalled).await;
    let second = Run::start(&settings, &other);
    published.until_read_by(&other).await;
    published.until_committed().await;

    stalls.store(true, Ordering::SeqCst);
    published.more().await;
    published.until_committed().await;
    stalls.store(false, Ordering::SeqCst);

    published.until_read_by(&stalled).await;
    published.until_committed().await;
    published.assert_read_by(&[&stalled, &other]);
    assert_eq!((first.stop().await.lost, second.stop().await.lost), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_not_polled_for_long_comes_back_under_the_classic_protocol() {
    a_member_stalls("stalls.classic", Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_not_polled_for_long_comes_back_under_the_new_protocol() {
    a_member_stalls("stalls.consumer", Consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_place_another_takes_ends() {
    let kafka = Apache::get().await;
    let settings = kafka.topic("static").await;
    let settings = with(&settings, Classic, &[("group.instance.id", "the-only")]);
    let mut published = Published::none(&settings);
    let (former, latter) = (Memory::default(), Memory::default());
    let first = Run::start(&settings, &former);
    published.until_read_by(&former).await;
    let second = Run::start(&settings, &latter);
    let ended = first.end().await;
    let fenced = KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId);
    assert!(
        matches!(&ended, Err(Error::Consumer(error)) if *error == fenced),
        "{ended:?}"
    );
    published.until_read_by(&latter).await;
    published.until_committed().await;
    second.stop().await;
    published.assert_read_by(&[&former, &latter]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_place_is_taken_waits_for_it_under_the_new_protocol() {
    let kafka = Apache::get().await;
    let settings = kafka.topic("static.consumer").await;
    let settings = with(&settings, Consumer, &[("group.instance.id", "the-only")]);
    let mut published = Published::none(&settings);
    let (former, latter) = (Memory::default(), Memory::default());
    let first = Run::start(&settings, &former);
    published.until_read_by(&former).await;
    let refused = Run::start(&settings, &latter).end().await;
    assert!(matches!(refused, Err(Error::MemberRefused(_))), "{refused:?}");
    let second = Run::keep(&settings, &latter, || ());
    first.stop().await;
    published.until_read_by(&latter).await;
    published.until_committed().await;
    second.stop().await;
    published.assert_read_by(&[&former, &latter]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_its_group_has_forgotten_joins_it_again() {
    let kafka = Apache::get().await;
    let settings = kafka.topic("forgotten").await;
    let (relay, relayed) = Relay::start(&kafka, &settings).await;
    let mut published = Published::none(&settings);
    let (forgotten, other) = (Memory::default(), Memory::default());
    let first = Run::keep(&with(&relayed, Consumer, &[]), &forgotten, || ());
    published.until_read_by(&forgotten).await;
    let second = Run::start(&with(&settings, Classic, &[]), &other);
    published.until_read_by(&other).await;
    published.until_committed().await;

    // Without the only member of the new protocol, the group goes back to the classic one, of which that member cannot be.
    relay.hold(true);
    published.more().await;
    published.until_committed().await;
    relay.hold(false);

    second.stop().await;
    published.until_read_by(&forgotten).await;
    published.until_committed().await;
    first.stop().await;
    published.assert_read_by(&[&forgotten, &other]);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_do_not_know_the_new_protocol_are_told_of() {
    let topics = [("chat.events", 2), ("chat.events.dlq", 1)];
    let broker = tokio::task::spawn_blocking(move || Broker::start(&topics)).await;
    let broker = broker.unwrap().unwrap();
    let settings = Settings {
        bootstrap_servers: broker.bootstrap_servers(),
        group_protocol: Consumer,
        ..Settings::default()
    };
    let ended = Run::start(&settings, &Memory::default()).end().await;
    let Err(Error::Setting { setting, problem }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(setting, "kafka.group_protocol");
    assert!(problem.contains("Kafka does from 4.0 on"), "{problem}");
    drop(tokio::task::spawn_blocking(move || drop(broker)).await);
}
