//! The record that a commit names, and what the first one that comes says about the log.

use super::*;

/// A ledger whose partition was read up to 10, the last record being that of this offset.
fn read_before(last: i64) -> Ledger {
    let mut ledger = assigned(Some(10));
    ledger.confirm(P, Fingerprint::at(last));
    ledger
}

/// The offset where the span of a record begins, and the jump before it.
fn arrive(ledger: &mut Ledger, record: Fingerprint) -> Option<(i64, Option<Jump>)> {
    match ledger.arrive(P, record) {
        Arrival::Next(span, jump) => Some((span.start.0, jump)),
        Arrival::Settled | Arrival::Replaced | Arrival::Unassigned => None,
    }
}

#[test]
fn the_last_record_of_a_commit_is_settled_and_the_next_one_is_read() {
    // Behind the last record there may be markers of transactions.
    for last in [9, 7] {
        let mut ledger = read_before(last);
        assert_eq!(ledger.arrive(P, Fingerprint::at(last)), Arrival::Settled);
        assert_eq!(committable(&mut ledger), None);
        assert_eq!(arrive(&mut ledger, Fingerprint::at(10)), Some((10, None)));
    }
}

#[test]
fn a_log_without_the_last_record_of_a_commit_is_read_on() {
    let mut ledger = read_before(9);
    let gap = Some(jump_between(10, 12));
    assert_eq!(arrive(&mut ledger, Fingerprint::at(12)), Some((10, gap)));
}

#[test]
fn a_log_that_reaches_back_and_has_no_last_record_of_a_commit_is_read_from_its_start() {
    for (start, is_replaced) in [(0, true), (9, true), (10, false)] {
        let mut ledger = read_before(9);
        ledger.note_start(P, Offset(start));
        let arrival = ledger.arrive(P, Fingerprint::at(10));
        assert_eq!(arrival == Arrival::Replaced, is_replaced, "{start}: {arrival:?}");
    }
}

#[test]
fn a_log_with_another_record_than_the_commit_names_is_read_from_its_start() {
    let another = Fingerprint {
        checksum: 1,
        ..Fingerprint::at(9)
    };
    for (last, record) in [(9, another), (7, Fingerprint::at(8))] {
        let mut ledger = read_before(last);
        assert_eq!(ledger.arrive(P, record), Arrival::Replaced);
        let Arrival::Next(first, None) = ledger.arrive(P, Fingerprint::at(0)) else {
            panic!("nothing is expected of a log that is read for the first time");
        };
        assert_eq!(committable(&mut ledger), None);
        ledger.settle(Receipt(Spans(vec![first])));
        assert_eq!(committable(&mut ledger), Some(1));
    }
}

#[test]
fn a_log_that_ends_before_the_last_record_of_a_commit_is_read_from_where_it_is() {
    let mut ledger = read_before(9);
    let back = Some(jump_between(10, 0));
    assert_eq!(arrive(&mut ledger, Fingerprint::at(0)), Some((0, back)));
}

#[test]
fn a_commit_behind_a_marker_names_the_record_before_it() {
    let mut ledger = read_before(9);
    ledger.pass(P, Offset(11));
    assert_eq!(ledger.committable()[0].last(), Some(Fingerprint::at(9)));
    let Arrival::Next(span, _) = ledger.arrive(P, Fingerprint::at(11)) else {
        panic!("it is the next record");
    };
    ledger.pass(P, Offset(13));
    ledger.settle(Receipt(Spans(vec![span])));
    let [committable] = ledger.committable()[..] else {
        panic!("there is one partition");
    };
    assert_eq!(
        (committable.offset(), committable.last()),
        (Offset(13), Some(Fingerprint::at(11)))
    );
}

#[test]
fn a_commit_behind_what_cannot_be_read_names_no_record() {
    // Behind the last record, and with it.
    for (first, end) in [(10, 12), (9, 12), (9, 10)] {
        let mut ledger = read_before(9);
        if first == 10 {
            assert_eq!(ledger.arrive(P, Fingerprint::at(9)), Arrival::Settled);
        }
        assert_eq!(ledger.positions().next(), Some((P, Some(Offset(first)))));
        let span = ledger.pass_over(P, Offset(first)..Offset(end)).unwrap();
        ledger.settle(Receipt(Spans(vec![span])));
        ledger.pass(P, Offset(13));
        let [committable] = ledger.committable()[..] else {
            panic!("there is one partition");
        };
        assert_eq!((committable.offset(), committable.last()), (Offset(13), None));
    }
}
