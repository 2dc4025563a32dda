//! Which of many items are refused.

/// Attempts the items, and splits what is refused until the items at fault are alone: gives those, each with the reason
/// that it alone was refused for. All others have been attempted with success by then. Some reasons mean that one of the
/// items is at fault by itself, of which `is_of_one` says so.
pub(crate) async fn isolate<'a, T, R, E, F>(
    items: &'a [T],
    attempt: impl Fn(&'a [T]) -> F,
    is_of_one: impl Fn(&R) -> bool,
) -> Result<Vec<(&'a T, R)>, E>
where
    F: Future<Output = Result<Option<R>, E>>,
{
    let mut isolated = Vec::new();
    let mut refused: Vec<_> = attempt(items)
        .await?
        .map(|reason| (items, reason))
        .into_iter()
        .collect();
    while let Some((part, reason)) = refused.pop() {
        if let [item] = part {
            isolated.push((item, reason));
            continue;
        }
        let (first, second) = part.split_at(part.len() / 2);
        let of_first = attempt(first).await?;
        let of_second = if of_first.is_none() && second.len() > 1 && is_of_one(&reason) {
            // What is at fault is in the second half, then, which need not be attempted as a whole.
            Some(reason)
        } else {
            attempt(second).await?
        };
        for (half, outcome) in [(second, of_second), (first, of_first)] {
            refused.extend(outcome.map(|reason| (half, reason)));
        }
    }
    Ok(isolated)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use futures::FutureExt;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn those_at_fault_are_isolated_and_all_others_are_taken(count in 0..40_u32, at_fault in btree_set(0..40_u32, 0..6)) {
            let items: Vec<u32> = (0..count).collect();
            let taken = RefCell::new(BTreeSet::new());
            let attempt = |part: &[u32]| {
                let refusal = part.iter().find(|item| at_fault.contains(item)).copied();
                if refusal.is_none() {
                    taken.borrow_mut().extend(part.iter().copied());
                }
                std::future::ready(Ok::<_, Infallible>(refusal))
            };
            let isolated = isolate(&items, attempt, |_| true).now_or_never().unwrap().unwrap();
            let expected: Vec<_> = items.iter().filter(|item| at_fault.contains(item)).map(|item| (item, *item)).collect();
            prop_assert_eq!(isolated, expected);
            let others: BTreeSet<u32> = items.iter().filter(|item| !at_fault.contains(item)).copied().collect();
            prop_assert_eq!(taken.into_inner(), others);
        }

        #[test]
        fn what_is_too_much_together_is_taken_in_parts(sizes in vec(1..20_u32, 0..40), limit in 5..40_u32) {
            let taken = RefCell::new(Vec::new());
            let attempt = |part: &[u32]| {
                let refusal = (part.iter().sum::<u32>() > limit).then_some(());
                if refusal.is_none() {
                    taken.borrow_mut().extend(part.iter().copied());
                }
                std::future::ready(Ok::<_, Infallible>(refusal))
            };
            let isolated = isolate(&sizes, attempt, |()| false).now_or_never().unwrap().unwrap();
            let (fitting, too_large): (Vec<u32>, Vec<u32>) = sizes.iter().partition(|size| **size <= limit);
            prop_assert_eq!(isolated, too_large.iter().map(|size| (size, ())).collect::<Vec<_>>());
            let mut taken = taken.into_inner();
            let mut fitting = fitting;
            taken.sort_unstable();
            fitting.sort_unstable();
            prop_assert_eq!(taken, fitting);
        }
    }
}
