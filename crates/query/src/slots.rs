//! Slots of ClickHouse, shared fairly between keys.

use metrics::{Gauge, gauge};
use tokio::sync::{AcquireError, Mutex, Semaphore, SemaphorePermit};

use crate::observe::HTTP_WAITING_REQUESTS;

/// Slots for one kind of work, given to the keys by turns and within a key in the order of asking.
///
/// Of each key only the first in its line waits for a slot, so that the line for slots, itself first come, first served, has
/// every key once.
pub(crate) struct Lane {
    slots: Semaphore,
    waiting: Gauge,
}

/// Those of a key who wait for a slot; the first has it locked.
#[derive(Default)]
pub(crate) struct Queue(Mutex<()>);

impl Lane {
    /// Of so many slots.
    pub(crate) fn new(name: &'static str, slots: usize) -> Self {
        let waiting = gauge!(HTTP_WAITING_REQUESTS, "lane" => name);
        waiting.set(0);
        Self {
            slots: Semaphore::new(slots.min(Semaphore::MAX_PERMITS)),
            waiting,
        }
    }

    /// A slot, once it is the turn of the key, until it is dropped. Who stops waiting leaves the line.
    ///
    /// # Errors
    /// Never: the slots are not closed.
    pub(crate) async fn slot(&self, queue: &Queue) -> Result<SemaphorePermit<'_>, AcquireError> {
        let _waiting = Waiting::new(&self.waiting);
        let _first = queue.0.lock().await;
        self.slots.acquire().await
    }
}

/// Counts somebody who waits, until it is dropped.
struct Waiting<'a>(&'a Gauge);

impl<'a> Waiting<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::Pin};

    use futures::poll;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    type Turn<'a> = Pin<Box<dyn Future<Output = SemaphorePermit<'a>> + 'a>>;

    /// Somebody in the line of a key.
    async fn waiting<'a>(lane: &'a Lane, queue: &'a Queue) -> Turn<'a> {
        let mut turn: Turn<'_> = Box::pin(async move { lane.slot(queue).await.unwrap() });
        assert!(poll!(&mut turn).is_pending());
        turn
    }

    /// Gives the slot from one to the next, and returns the order.
    async fn served<'a>(
        slot: SemaphorePermit<'a>,
        mut line: Vec<(&'static str, Turn<'a>)>,
    ) -> Vec<&'static str> {
        let mut order = Vec::new();
        let mut held = Some(slot);
        while !line.is_empty() {
            drop(held.take());
            let mut position = 0;
            while position < line.len() {
                if let std::task::Poll::Ready(slot) = poll!(&mut line[position].1) {
                    order.push(line.remove(position).0);
                    assert!(held.replace(slot).is_none(), "two have the one slot");
                } else {
                    position += 1;
                }
            }
            assert!(held.is_some(), "nobody has the slot: {order:?}");
        }
        order
    }

    #[tokio::test]
    async fn keys_take_turns_and_each_is_served_in_the_order_of_asking() {
        let (lane, queues) = (Lane::new("lists", 1), [(); 3].map(|()| Queue::default()));
        let slot = lane.slot(&queues[0]).await.unwrap();
        let mut waiters = Vec::new();
        for (name, key) in [
            ("a1", 0),
            ("a2", 0),
            ("a3", 0),
            ("a4", 0),
            ("b1", 1),
            ("b2", 1),
            ("c1", 2),
        ] {
            waiters.push((name, waiting(&lane, &queues[key]).await));
        }
        let order = served(slot, waiters).await;
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[tokio::test]
    async fn a_key_alone_has_every_slot() {
        let (lane, queue) = (Lane::new("lists", 2), Queue::default());
        let slots = [lane.slot(&queue).await.unwrap(), lane.slot(&queue).await.unwrap()];
        let third = waiting(&lane, &queue).await;
        drop(slots);
        drop(third.await);
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_the_line() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let (lane, queue, other_queue) = (Lane::new("lists", 1), Queue::default(), Queue::default());
        let counted = || {
            let rendered = recorder.handle().render();
            let sample = rendered
                .lines()
                .find(|text| text.starts_with(HTTP_WAITING_REQUESTS));
            sample.unwrap().rsplit_once(' ').unwrap().1.to_owned()
        };
        assert_eq!(counted(), "0");
        let slot = lane.slot(&queue).await.unwrap();
        let first = waiting(&lane, &queue).await;
        let second = waiting(&lane, &queue).await;
        let third = waiting(&lane, &queue).await;
        let other = waiting(&lane, &other_queue).await;
        assert_eq!(counted(), "4");
        drop((first, second));
        assert_eq!(counted(), "2");
        assert_eq!(
            served(slot, vec![("third", third), ("other", other)]).await,
            ["other", "third"]
        );
        assert_eq!(counted(), "0");
    }
}
