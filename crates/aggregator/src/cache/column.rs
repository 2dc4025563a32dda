//! Values by number.

/// Values by number, in pieces that stay where they are: what grows as one has twice the room that it needs, and is there
/// twice while it grows.
#[derive(Debug)]
pub(super) struct Column<T>(Vec<Vec<T>>);

/// How many values a piece holds.
const PIECE: usize = 1 << 14;

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Column<T> {
    pub(super) fn len(&self) -> usize {
        self.0
            .last()
            .map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let number = usize::try_from(number).ok()?;
        self.0.get(number / PIECE)?.get(number % PIECE)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let number = usize::try_from(number).ok()?;
        self.0.get_mut(number / PIECE)?.get_mut(number % PIECE)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.0.last_mut() {
            // The first grows as it needs: most organisations are small.
            Some(last) if last.len() < PIECE => last.push(value),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(value);
                self.0.push(piece);
            }
            None => self.0.push(vec![value]),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// All values, so many at a time; a piece holds a multiple of that.
    pub(super) fn chunks(&self, values: usize) -> impl Iterator<Item = &[T]> {
        self.0.iter().flat_map(move |piece| piece.chunks(values))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }

    pub(super) fn bytes(&self) -> usize {
        let room: usize = self.0.iter().map(Vec::capacity).sum();
        room * size_of::<T>() + self.0.capacity() * size_of::<Vec<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_numbers_across_pieces() {
        let mut column = Column::default();
        let count = u32::try_from(2 * PIECE + 3).unwrap();
        (0..count).for_each(|value| column.push(value));
        assert_eq!(column.len(), 2 * PIECE + 3);
        assert!(column.iter().copied().eq(0..count));
        assert_eq!(column.get(count - 1), Some(&(count - 1)));
        assert_eq!(column.get(count), None);
        column.iter_mut().for_each(|value| *value += 1);
        assert_eq!(column.get_mut(16_384).copied(), Some(16_385));
        assert!(column.chunks(8).flatten().copied().eq(1..=count));
        // No more room than a piece besides what is held.
        assert!(column.bytes() < (3 * PIECE + 100) * size_of::<u32>());
    }
}
