//! Copies among the good pictures: fifty copies of one part are one part.

use super::Sight;

/// A pair this much nearer than the middle pair shows the same part at the same place. A guess that held on rendered lines.
const NEARER: f32 = 0.1;

/// Grey levels below which no camera tells two pictures apart: they are one, stored twice.
const SAME: f32 = 0.02;

/// Pictures sorted into groups that show the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// For each picture the first one that shows the same; itself where it is the first.
    pub first: Vec<usize>,
}

impl Alike {
    /// Pictures that show something of their own: as many independent parts there are at most.
    pub fn distinct(&self) -> usize {
        self.first.iter().enumerate().filter(|(i, first)| i == *first).count()
    }

    /// Each picture that shows the same as an earlier one, with that.
    pub fn copies(&self) -> impl Iterator<Item = (usize, usize)> {
        self.first.iter().copied().enumerate().filter(|(i, first)| i != first)
    }
}

/// Which of the pictures, all of one size, show the same.
pub fn alike(sights: &[Sight]) -> Alike {
    let mut pairs = Vec::with_capacity(sights.len() * sights.len() / 2);
    for (i, a) in sights.iter().enumerate() {
        pairs.extend(sights[..i].iter().map(|b| a.apart(b)));
    }
    let middle = {
        let mut apart: Vec<f32> = pairs.iter().copied().filter(|apart| *apart > SAME).collect();
        apart.sort_by(f32::total_cmp);
        apart.get(apart.len() / 2).copied().unwrap_or(0.0)
    };
    let same = SAME.max(middle * NEARER);
    let mut first: Vec<usize> = Vec::with_capacity(sights.len());
    let mut pairs = pairs.into_iter();
    for i in 0..sights.len() {
        let before: Vec<f32> = pairs.by_ref().take(i).collect();
        let of = before.iter().position(|apart| *apart <= same).map_or(i, |other| first[other]);
        first.push(of);
    }
    Alike { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(seed: usize) -> Sight {
        let bytes: Vec<u8> = (0..40 * 30).map(|i| ((i * seed * 31) % 251) as u8).collect();
        Sight::of(seed.to_string(), &bytes, 40, 1)
    }

    #[test]
    fn fifty_copies_of_one_are_one() {
        let sights: Vec<Sight> = (0..50).map(|_| picture(7)).collect();
        assert_eq!(alike(&sights).distinct(), 1);
    }

    #[test]
    fn a_copy_is_found_among_different_ones() {
        let mut sights: Vec<Sight> = (1..9).map(picture).collect();
        sights.push(picture(3));
        let alike = alike(&sights);
        assert_eq!((alike.distinct(), alike.copies().collect::<Vec<_>>()), (8, vec![(8, 2)]));
    }
}
