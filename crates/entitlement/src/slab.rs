/// How many are made room for at once: growing never copies what is there, nor doubles it.
const CHUNK: usize = 4_096;

/// Where a thing stands.
pub(crate) type Place = u32;

/// Things with a place that stays theirs; free places are filled first.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<Place>,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Slab<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What is set aside for them, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Option<T>>() + self.free.capacity() * size_of::<Place>()
    }

    pub(crate) fn get(&self, place: Place) -> Option<&T> {
        let (chunk, index) = split(place);
        self.chunks.get(chunk)?.get(index)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.slot(place)?.as_mut()
    }

    /// None where there are as many as places can tell apart.
    pub(crate) fn insert(&mut self, thing: T) -> Option<Place> {
        if let Some(place) = self.free.pop() {
            *self.slot(place)? = Some(thing);
            self.len += 1;
            return Some(place);
        }
        let place = Place::try_from(self.len).ok()?;
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut()?.push(Some(thing));
        self.len += 1;
        Some(place)
    }

    pub(crate) fn remove(&mut self, place: Place) -> Option<T> {
        let removed = self.slot(place)?.take()?;
        self.free.push(place);
        self.len -= 1;
        Some(removed)
    }

    fn slot(&mut self, place: Place) -> Option<&mut Option<T>> {
        let (chunk, index) = split(place);
        self.chunks.get_mut(chunk)?.get_mut(index)
    }
}

fn split(place: Place) -> (usize, usize) {
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    (place / CHUNK, place % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_and_are_used_again_once_they_are_free() {
        let mut slab = Slab::default();
        let places: Vec<Place> = (0..10_000).map(|number| slab.insert(number).unwrap()).collect();
        assert_eq!(slab.remove(places[5_000]), Some(5_000));
        assert_eq!((slab.get(places[5_000]), slab.len()), (None, 9_999));
        assert_eq!(slab.insert(-1), Some(places[5_000]));
        let next = slab.insert(-2).unwrap();
        assert!(!places.contains(&next));
        assert_eq!(slab.get(places[9_999]), Some(&9_999));
        assert_eq!(slab.get(next), Some(&-2));
    }
}
