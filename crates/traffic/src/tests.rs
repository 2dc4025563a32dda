//! The made-up worlds, read back the way a consumer reads them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use events::{Body, Day, Decoded, Event, Message, Rejection, Role, Timestamp, decode};
use uuid::Uuid;

use crate::{Load, LoadOptions, Published, World, WorldOptions, wire};

/// A Wednesday afternoon.
const END: &str = "2025-06-11T15:20:00Z";

fn instant(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn world(seed: u64) -> Arc<World> {
    World::new(WorldOptions {
        seed,
        orgs: Vec::new(),
        users: 600,
        days: 63,
        end: instant(END),
    })
}

fn load_options(records: u64) -> LoadOptions {
    let mut options = LoadOptions::new(records, instant("2025-01-01T00:00:00Z"));
    options.users = NonZeroU32::new(5_000).unwrap();
    options
}

fn read(record: &Published) -> Result<Decoded<'_>, Rejection> {
    decode(std::iter::empty(), Some(record.json.as_bytes()), instant(END))
}

fn event(record: &Published) -> Event<'_> {
    match read(record) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("{other:?}: {}", record.json),
    }
}

fn message<'a>(event: &'a Event<'_>) -> Option<&'a Message<'a>> {
    match &event.body {
        Body::Message(message) => Some(message),
        _ => None,
    }
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_seed_others() {
    let histories = [7, 7, 8].map(|seed| world(seed).history().collect::<Vec<_>>());
    assert!(histories[0] == histories[1]);
    let [ids, _, other_ids] = histories.map(|records| {
        records
            .iter()
            .map(|record| event(record).id.into_owned())
            .collect::<HashSet<_>>()
    });
    assert!(ids.is_disjoint(&other_ids));
    let lives = [7, 7, 8].map(|seed| world(seed).live(50.0).tick(instant(END), Duration::from_secs(9)));
    assert!(lives[0] == lives[1]);
    assert!(lives[0] != lives[2]);
    let loads = [7, 7, 8].map(|seed| Load::new(seed, load_options(2_000)).collect::<Vec<_>>());
    assert!(loads[0] == loads[1]);
    assert!(loads[0] != loads[2]);
}

#[test]
fn what_is_published_reads_back_as_it_was() {
    let content = "She said \"C:\\dir\",\nthen «ser» 🎓.";
    let message = Message {
        message_id: Uuid::from_u128(1),
        conversation_id: Uuid::from_u128(2),
        role: Role::Assistant,
        user_id: Some("100007".into()),
        mentor_id: Some("sql-coach".into()),
        content: content.into(),
        model: Some("sage-3".into()),
    };
    let written = Event {
        org: "o".into(),
        id: "e-1".into(),
        time: instant(END),
        body: Body::Message(message),
    };
    let record = wire::publish(&written, "100007");
    assert_eq!(event(&record), written);
    assert_eq!(record.key, "o:100007");
    assert!(
        record.json.contains(r#""partitionkey":"o:100007""#) && record.json.contains(r#""user_id":100007"#)
    );
}

#[test]
fn a_history_is_valid_and_about_in_order_and_has_all_kinds_of_events() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut ids, mut latest) = (HashSet::new(), instant("2025-04-10T00:00:00Z"));
    for record in world(1).history() {
        let event = event(&record);
        assert!(event.time < instant(END) && event.time >= instant("2025-04-10T00:00:00Z"));
        if !ids.insert(event.id.clone().into_owned()) {
            *seen.entry("repeated").or_default() += 1;
        } else if event.time < latest {
            *seen.entry("late").or_default() += 1;
        }
        latest = latest.max(event.time);
        let kind = match &event.body {
            Body::Annotation(_) => "annotated",
            Body::Registration(_) => "registered",
            Body::Erasure(_) => "erased",
            Body::Message(message) => {
                assert_eq!(message.model.is_some(), message.role == Role::Assistant);
                if message.user_id.is_none() {
                    *seen.entry("anonymous").or_default() += 1;
                }
                message.role.as_str()
            }
        };
        *seen.entry(kind).or_default() += 1;
    }
    for (kind, permille) in [
        ("late", 2..10),
        ("repeated", 4..12),
        ("anonymous", 10..80),
        ("annotated", 40..150),
        ("system", 5..40),
        ("registered", 6..1000),
    ] {
        let found = seen[kind] * 1000 / u32::try_from(ids.len()).unwrap();
        assert!(permille.contains(&found), "{found} of 1000 are {kind}: {seen:?}");
    }
}

#[test]
fn users_and_assistants_take_turns_within_thirty_messages() {
    let mut conversations: HashMap<Uuid, BTreeSet<(Timestamp, Role, Uuid)>> = HashMap::new();
    let mut texts = HashSet::new();
    for record in world(1).history() {
        let event = event(&record);
        if let Some(message) = message(&event) {
            let said = conversations.entry(message.conversation_id).or_default();
            said.insert((event.time, message.role, message.message_id));
            texts.insert(message.content.to_string());
        }
    }
    assert!(texts.len() > 1_000, "{} different texts", texts.len());
    let mut whole = 0;
    for messages in conversations.values() {
        assert!(messages.len() <= 30);
        let roles: Vec<Role> = messages
            .iter()
            .map(|(_, role, _)| *role)
            .filter(|role| *role != Role::System)
            .collect();
        whole += u32::from(roles.iter().enumerate().all(|(index, role)| match index % 2 {
            0 => *role == Role::User,
            _ => *role == Role::Assistant,
        }));
    }
    // The last messages before the end that come late are not part of the history.
    assert!(usize::try_from(whole).unwrap() * 100 > conversations.len() * 99);
}

#[test]
fn a_history_grows_and_rests_at_weekends_and_some_users_return() {
    let mut active: BTreeMap<Day, HashSet<String>> = BTreeMap::new();
    let (mut registered, mut spoke) = (HashSet::new(), HashMap::<String, BTreeSet<Day>>::new());
    for record in world(3).history() {
        let event = event(&record);
        let user = record.key.clone();
        match &event.body {
            Body::Registration(_) => {
                registered.insert(user);
            }
            Body::Message(message) if message.role == Role::User && message.user_id.is_some() => {
                active.entry(event.time.day()).or_default().insert(user.clone());
                spoke.entry(user).or_default().insert(event.time.day());
            }
            _ => {}
        }
    }
    let users = |days: std::ops::Range<usize>, weekend: bool| {
        let days: Vec<_> = active.iter().skip(days.start).take(days.len()).collect();
        let days = days.iter().filter(|(day, _)| day.is_weekend() == weekend);
        let (count, sum) = days.fold((0, 0), |(count, sum), (_, users)| (count + 1, sum + users.len()));
        sum / count
    };
    assert!(users(0..63, false) * 10 > users(0..63, true) * 15);
    assert!(users(42..63, false) > 2 * users(0..21, false));
    let silent = registered
        .iter()
        .filter(|user| !spoke.contains_key(*user))
        .count();
    let unregistered = spoke.keys().filter(|user| !registered.contains(*user)).count();
    let once = spoke.values().filter(|days| days.len() == 1).count();
    let weeks = |days: &BTreeSet<Day>| (days.last().unwrap().number() - days.first().unwrap().number()) / 7;
    let weeks = spoke.values().filter(|days| weeks(days) >= 2).count();
    for (found, of, percent, what) in [
        (silent, registered.len(), 2..20, "never said a word"),
        (unregistered, spoke.len(), 3..20, "never registered"),
        (once, spoke.len(), 20..70, "came on one day"),
        (weeks, spoke.len(), 16..101, "came for weeks"),
    ] {
        assert!(percent.contains(&(found * 100 / of)), "{found} of {of} {what}");
    }
}

#[test]
fn the_example_has_something_to_show() {
    let world = world(1);
    let example = world.example();
    assert_eq!(
        (example.start, example.end),
        (instant("2025-05-15T00:00:00Z").day(), instant(END).day())
    );
    let shown = world.history().filter(|record| {
        let event = event(record);
        let mentor = message(&event).and_then(|message| message.mentor_id.as_deref());
        event.org == example.org.as_str()
            && mentor == Some(&example.mentor)
            && (example.start..=example.end).contains(&event.time.day())
    });
    assert!(shown.count() > 100);
}

#[test]
fn live_traffic_keeps_its_rate_and_the_present_time() {
    let (world, rate, start) = (world(1), 20_u32, instant(END).as_millis());
    let mut live = world.live(f64::from(rate));
    let (mut published, mut old) = (0_u32, 0);
    for tick in 1..=600_i64 {
        let now = Timestamp::from_millis(start + tick * 500);
        for record in live.tick(now, Duration::from_millis(500)) {
            let Ok(Decoded::Event(event)) = decode(std::iter::empty(), Some(record.json.as_bytes()), now)
            else {
                panic!("{}", record.json)
            };
            assert!(event.time <= now);
            published += 1;
            old += u32::from(event.time.as_millis() <= now.as_millis() - 500);
        }
    }
    assert!(published.abs_diff(300 * rate) < 300, "{published} events");
    assert!(
        old < published / 50,
        "{old} of {published} are not of the present"
    );
}

#[test]
fn live_traffic_needs_no_history() {
    let options = WorldOptions {
        seed: 1,
        orgs: vec!["a".to_owned()],
        users: 0,
        days: 0,
        end: instant(END),
    };
    let records = World::new(options)
        .live(5.0)
        .tick(instant(END), Duration::from_secs(60));
    assert!(records.len() >= 50 && records.iter().all(|record| event(record).org == "a"));
}

#[test]
fn a_load_has_the_mix_the_size_and_the_order_that_were_asked_for() {
    let days = NonZeroU32::new(2).unwrap();
    let options = LoadOptions {
        days,
        ..load_options(60_000)
    };
    let mut load = Load::new(5, options);
    let (mut bytes, mut latest) = (0, Timestamp::from_millis(0));
    let (mut kinds, mut ids, mut orgs, mut mentors) = (
        BTreeMap::<&str, u64>::new(),
        HashSet::new(),
        HashSet::new(),
        HashMap::<String, u32>::new(),
    );
    for record in load.by_ref() {
        bytes += record.json.len();
        let Ok(Decoded::Event(event)) = read(&record) else {
            *kinds.entry("malformed").or_default() += 1;
            continue;
        };
        if !ids.insert(event.id.clone().into_owned()) {
            *kinds.entry("repeated").or_default() += 1;
            continue;
        }
        assert!(event.time.as_millis() > latest.as_millis() - 2_000);
        latest = latest.max(event.time);
        orgs.insert(event.org.to_string());
        let kind = match &event.body {
            Body::Message(message) => {
                *mentors
                    .entry(message.mentor_id.as_deref().unwrap().to_owned())
                    .or_default() += 1;
                "messages"
            }
            Body::Annotation(_) => "annotations",
            Body::Registration(_) => "registrations",
            Body::Erasure(_) => "erasures",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let tally = load.tally();
    let expected = BTreeMap::from([
        ("messages", tally.messages),
        ("annotations", tally.annotations),
        ("registrations", tally.registrations),
        ("repeated", tally.repeated),
        ("malformed", tally.malformed),
    ]);
    assert_eq!(kinds, expected);
    assert_eq!(kinds.values().sum::<u64>(), 60_000);
    assert!((47_000..49_000).contains(&tally.messages), "{tally:?}");
    assert!((6_900..7_500).contains(&tally.annotations), "{tally:?}");
    assert!((4_500..5_100).contains(&tally.registrations), "{tally:?}");
    assert!((220..380).contains(&tally.repeated), "{tally:?}");
    assert!((1..20).contains(&tally.malformed), "{tally:?}");
    let average = bytes / 60_000;
    assert!((594..=606).contains(&average), "{average} bytes");
    assert_eq!(orgs.len(), 40);
    assert!(mentors["mentor-000"] > 5 * mentors["mentor-020"]);
    assert_eq!(latest.day(), instant("2025-01-02T00:00:00Z").day());
}

#[test]
fn malformed_records_break_rules_of_several_kinds() {
    let options = LoadOptions {
        malformed: NonZeroU32::new(1),
        repeated: None,
        ..load_options(500)
    };
    let reasons: BTreeSet<String> = Load::new(5, options)
        .map(|record| read(&record).expect_err(&record.json).to_string())
        .collect();
    assert!(reasons.len() >= 8, "{reasons:#?}");
}
