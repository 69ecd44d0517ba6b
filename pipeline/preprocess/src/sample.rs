//! Bilinear sampling of bytes by a map made before: what `cv::remap` does, in half its time or less (`benches/prepare.rs`).
//!
//! Beside `borrow`, the only unsafe of this crate.
#![allow(unsafe_code)] // loads that need no check a pixel: `PackedMap::new` has looked at each

use opencv::{
    core::{CV_8UC1, CV_8UC3, Mat, Scalar, Size, Vec2s},
    prelude::*,
};

/// A position's whole part, relative to its row's `top`, and its rest in 1/32 px:
/// `x` 12 bits, `y` 10 bits, rest of `y` 5 bits, rest of `x` 5 bits.
type Packed = u32;

/// Where each pixel of the content lies in the source, 4 bytes a pixel.
pub(crate) struct PackedMap {
    source: Size,
    content: Size,
    rows: Vec<Row>,
    at: Vec<Packed>,
    /// So near to the source's last byte that more than the pixel must not be read. In order.
    apart: Vec<Apart>,
}

/// One row of the content.
struct Row {
    /// The sensor saw `first..last` of it; the rest is black.
    first: usize,
    last: usize,
    /// The source's uppermost row that it shows.
    top: usize,
}

struct Apart {
    index: usize,
    x: usize,
    y: usize,
    rest: [u32; 2],
}

/// A load reads two pixels and this many bytes at most.
const LOAD_PX: usize = 4;

impl PackedMap {
    /// Packs OpenCV's maps (`CV_16SC2` and `CV_16UC1`, as `convert_maps` makes them) for a source of `source`; what lies
    /// outside it is black. `None` where they do not fit into 4 bytes a pixel or this processor has no AVX2: then
    /// `cv::remap` takes the maps as they are.
    pub(crate) fn new(whole: &Mat, rest: &Mat, source: Size) -> opencv::Result<Option<Self>> {
        if !has_avx2() || source.width < LOAD_PX as i32 || source.height < 2 {
            return Ok(None);
        }
        let content = whole.size()?;
        let (columns, [width, height]) =
            (content.width as usize, [source.width, source.height].map(|side| side as usize));
        let (whole, rest) = (whole.data_typed::<Vec2s>()?, rest.data_typed::<u16>()?);
        let mut map = Self { source, content, rows: vec![], at: vec![], apart: vec![] };
        map.at.reserve(whole.len());
        for (whole, rest) in whole.chunks(columns).zip(rest.chunks(columns)) {
            let seen = |at: &Vec2s| {
                let [x, y] = [at[0], at[1]].map(|side| usize::try_from(side).ok());
                x.zip(y).filter(|(x, y)| *x < width && *y < height)
            };
            let is_apart = |x: usize, y: usize| y + 1 >= height || y + 2 == height && x + LOAD_PX > width;
            let first = whole.iter().position(|at| seen(at).is_some()).unwrap_or(0);
            let last = whole.iter().rposition(|at| seen(at).is_some()).map_or(0, |last| last + 1);
            let Some(span) = whole[first..last].iter().map(seen).collect::<Option<Vec<_>>>() else {
                return Ok(None); // black in the middle of a row
            };
            let top = span.iter().filter(|(x, y)| !is_apart(*x, *y)).map(|(_, y)| *y).min().unwrap_or(0);
            map.at.resize(map.at.len() + first, 0);
            for ((x, y), rest) in span.into_iter().zip(&rest[first..last]) {
                let [rest_x, rest_y] = [u32::from(rest & 31), u32::from(rest >> 5 & 31)];
                if is_apart(x, y) {
                    map.apart.push(Apart { index: map.at.len(), x, y, rest: [rest_x, rest_y] });
                    map.at.push(0);
                } else if x < 1 << 12 && y - top < 1 << 10 {
                    map.at.push((x as u32) << 20 | ((y - top) as u32) << 10 | rest_y << 5 | rest_x);
                } else {
                    return Ok(None);
                }
            }
            map.at.resize(map.at.len() + columns - last, 0);
            map.rows.push(Row { first, last, top });
        }
        Ok(Some(map))
    }

    /// Samples `source`, bytes of one or three channels, into `content`. False, and nothing done, where `source` is of
    /// another kind or size.
    pub(crate) fn apply(&self, source: &impl MatTraitConst, content: &mut Mat) -> opencv::Result<bool> {
        let typ = source.typ();
        if ![CV_8UC1, CV_8UC3].contains(&typ) || source.size()? != self.source {
            return Ok(false);
        }
        if content.typ() != typ || content.size()? != self.content || !content.is_continuous() {
            *content = Mat::new_size_with_default(self.content, typ, Scalar::all(0.0))?;
        }
        let step = source.step1(0)?; // bytes, as each channel is one
        let px = if typ == CV_8UC3 { 3 } else { 1 };
        let length = (self.source.height as usize - 1) * step + self.source.width as usize * px;
        // SAFETY: a `Mat` of this type and size has rows `step` apart, the last of which ends `length` bytes from its
        // first; `source` is borrowed for as long as the slice lives, and `content` is another `Mat`, borrowed mutably.
        let source = unsafe { std::slice::from_raw_parts(source.data(), length) };
        let columns = self.content.width as usize;
        let into = content.data_bytes_mut()?;
        for ((row, at), into) in
            self.rows.iter().zip(self.at.chunks(columns)).zip(into.chunks_mut(columns * px))
        {
            let seen = row.first * px..row.last * px;
            into[..seen.start].fill(0);
            into[seen.end..].fill(0);
            let from = &source[row.top * step..];
            sample(px, from, step, &at[row.first..row.last], &mut into[seen]);
        }
        for Apart { index, x, y, rest } in &self.apart {
            one(px, &source[y * step + x * px..], step, *rest, &mut into[index * px..][..px]);
        }
        Ok(true)
    }
}

fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Samples a row of `px` channels, whose positions count from `from`.
fn sample(px: usize, from: &[u8], step: usize, at: &[Packed], into: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    let done = {
        // SAFETY: there is no map without AVX2. Each packed position is `PackedMap::new`'s: it and the pixels right of
        // it, below it and right of that lie in the source, and a load of 8 bytes (three channels) or 4 (one) from the
        // lower of them ends within it, or the position would be apart.
        unsafe {
            if px == 3 { avx2::three(from, step, at, into) } else { avx2::single(from, step, at, into) }
        }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    for (at, into) in at.iter().zip(into.chunks_mut(px)).skip(done) {
        let [x, y] = [at >> 20, at >> 10 & 1023].map(|side| side as usize);
        one(px, &from[y * step + x * px..], step, [at & 31, at >> 5 & 31], into);
    }
}

/// One pixel. `from` begins with it; a neighbour of no weight is not read.
fn one(px: usize, from: &[u8], step: usize, [rest_x, rest_y]: [u32; 2], into: &mut [u8]) {
    for (channel, into) in into.iter_mut().enumerate() {
        let there = |offset: usize, weight: u32| {
            if weight == 0 { 0 } else { u32::from(from[offset + channel]) * weight }
        };
        let [left, right] = [32 - rest_x, rest_x];
        let above = (32 - rest_y) * (there(0, left) + there(px, right));
        let below = match rest_y {
            0 => 0,
            _ => rest_y * (there(step, left) + there(step + px, right)),
        };
        *into = ((above + below + 512) >> 10) as u8;
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::Packed;
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_add_epi32, _mm_load_si128, _mm_loadl_epi64, _mm_madd_epi16, _mm_maddubs_epi16,
        _mm_packs_epi32, _mm_packus_epi16, _mm_set1_epi32, _mm_setr_epi8, _mm_shuffle_epi8, _mm_srli_epi32,
        _mm_storel_epi64, _mm_storeu_si128, _mm_unpacklo_epi8, _mm_unpacklo_epi32, _mm256_add_epi32,
        _mm256_and_si256, _mm256_blend_epi16, _mm256_castsi256_si128, _mm256_extracti128_si256,
        _mm256_i32gather_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
        _mm256_mullo_epi32, _mm256_or_si256, _mm256_packs_epi32, _mm256_packus_epi16, _mm256_set1_epi32,
        _mm256_slli_epi32, _mm256_srli_epi32, _mm256_sub_epi32,
    };

    /// A row for each 1/32 px: the weights of what lies before and after, as often as a register holds them.
    #[repr(align(16))]
    struct Weights([[u8; 16]; 32]);

    /// `spread` bytes apart.
    const fn weights(spread: usize) -> Weights {
        let mut table = [[0; 16]; 32];
        let mut rest = 0;
        while rest < 32 {
            let mut byte = 0;
            while byte < 16 {
                table[rest][byte] = 32 - rest as u8;
                table[rest][byte + spread] = rest as u8;
                byte += 2 * spread;
            }
            rest += 1;
        }
        Weights(table)
    }

    static BYTES: Weights = weights(1);
    static WORDS: Weights = weights(2);

    /// Three channels. Gives how many pixels it has done: the last ones are left, because a store writes 16 bytes for 12.
    ///
    /// # Safety
    /// Needs AVX2. For each of `at`, 8 bytes must lie in `from` at its position and at the one a `step` further on.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn three(from: &[u8], step: usize, at: &[Packed], into: &mut [u8]) -> usize {
        let squeeze = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
        let groups = at.len().min(into.len() / 3).saturating_sub(2) / 4;
        for (group, [a, b, c, d]) in at.as_chunks::<4>().0[..groups].iter().enumerate() {
            // SAFETY: the caller's promise for the pixels. After this group there are two pixels more at least, so 16 bytes
            // of `into` from here.
            unsafe {
                let low = _mm_packs_epi32(pixel(from, step, *a), pixel(from, step, *b));
                let high = _mm_packs_epi32(pixel(from, step, *c), pixel(from, step, *d));
                let four = _mm_shuffle_epi8(_mm_packus_epi16(low, high), squeeze);
                _mm_storeu_si128(into.as_mut_ptr().add(12 * group).cast(), four);
            }
        }
        4 * groups
    }

    /// A pixel of three channels, each in 32 bits.
    ///
    /// # Safety
    /// As of [`three`].
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn pixel(from: &[u8], step: usize, at: Packed) -> __m128i {
        let beside = _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1);
        let [x, y] = [at >> 20, at >> 10 & 1023].map(|side| side as usize);
        // Without checks for overflow, which cost as much as the rest: it lies in a slice.
        let offset = y.wrapping_mul(step).wrapping_add(x * 3);
        // SAFETY: the caller's promise for the pixels; `& 31` for the tables, which are aligned to 16.
        let (above, below, down, along) = unsafe {
            let here = from.as_ptr().add(offset);
            (
                _mm_loadl_epi64(here.cast()),
                _mm_loadl_epi64(here.add(step).cast()),
                _mm_load_si128(BYTES.0.as_ptr().add((at >> 5 & 31) as usize).cast()),
                _mm_load_si128(WORDS.0.as_ptr().add((at & 31) as usize).cast()),
            )
        };
        let column = _mm_maddubs_epi16(_mm_unpacklo_epi8(above, below), down);
        let sum = _mm_madd_epi16(_mm_shuffle_epi8(column, beside), along);
        _mm_srli_epi32(_mm_add_epi32(sum, _mm_set1_epi32(512)), 10)
    }

    /// One channel. Gives how many pixels it has done, a multiple of 8.
    ///
    /// # Safety
    /// Needs AVX2. For each of `at`, 4 bytes must lie in `from` at its position and at the one a `step` further on.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn single(from: &[u8], step: usize, at: &[Packed], into: &mut [u8]) -> usize {
        let Ok(step) = i32::try_from(step) else { return 0 };
        if from.len() > i32::MAX as usize {
            return 0; // an offset is 32 bits here
        }
        let [half, full, low, rows, step] = [512, 32, 31, 1023, step].map(|value| _mm256_set1_epi32(value));
        let mut done = 0;
        while done + 8 <= at.len() && done + 8 <= into.len() {
            // SAFETY: 8 positions of `at` from here; the caller's promise for the pixels; 8 bytes of `into` from here.
            unsafe {
                let at: __m256i = _mm256_loadu_si256(at.as_ptr().add(done).cast());
                let y = _mm256_and_si256(_mm256_srli_epi32(at, 10), rows);
                let here = _mm256_add_epi32(_mm256_mullo_epi32(y, step), _mm256_srli_epi32(at, 20));
                let above = _mm256_i32gather_epi32(from.as_ptr().cast(), here, 1);
                let below = _mm256_i32gather_epi32(from.as_ptr().cast(), _mm256_add_epi32(here, step), 1);
                let four = _mm256_blend_epi16(above, _mm256_slli_epi32(below, 16), 0b1010_1010);
                let rest = _mm256_and_si256(at, low);
                let along = _mm256_or_si256(_mm256_sub_epi32(full, rest), _mm256_slli_epi32(rest, 8));
                let along = _mm256_or_si256(along, _mm256_slli_epi32(along, 16));
                let rest = _mm256_and_si256(_mm256_srli_epi32(at, 5), low);
                let down = _mm256_or_si256(_mm256_sub_epi32(full, rest), _mm256_slli_epi32(rest, 16));
                let sum = _mm256_madd_epi16(_mm256_maddubs_epi16(four, along), down);
                let eight = _mm256_srli_epi32(_mm256_add_epi32(sum, half), 10);
                let eight = _mm256_packs_epi32(eight, eight);
                let eight = _mm256_packus_epi16(eight, eight);
                let eight =
                    _mm_unpacklo_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
                _mm_storel_epi64(into.as_mut_ptr().add(done).cast(), eight);
            }
            done += 8;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::{
        core::{BORDER_CONSTANT, CV_16SC2, Rect, Vec3b},
        imgproc,
    };
    use proptest::prelude::*;

    /// A map of `content` that scales, turns and moves by `rows`, as `Rectify` gives it: clamped to the source, or black.
    fn maps(content: Size, source: Size, rows: [[f32; 3]; 2]) -> (Mat, Mat) {
        let at = |row: [f32; 3], side: i32| {
            Mat::from_slice_2d(
                &(0..content.height)
                    .map(|y| {
                        (0..content.width)
                            .map(|x| {
                                let at = row[0] * x as f32 + row[1] * y as f32 + row[2];
                                let most = (side - 1) as f32;
                                if at < -0.5 || at > most + 0.5 { -9.0_f32 } else { at.clamp(0.0, most) }
                            })
                            .collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>(),
            )
            .expect("a map")
        };
        let (u, v) = (at(rows[0], source.width), at(rows[1], source.height));
        let (mut whole, mut rest) = (Mat::default(), Mat::default());
        imgproc::convert_maps(&u, &v, &mut whole, &mut rest, CV_16SC2, false).expect("maps");
        (whole, rest)
    }

    proptest! {
        /// Bytes in rows with a gap between, so that a load that reads on would be seen.
        #[test]
        fn a_packed_map_shows_what_opencv_shows(
            (width, height) in (4_i32..70, 2_i32..50), (columns, lines) in (1_i32..70, 1_i32..50),
            (scale, turn) in (0.3_f32..2.0, -0.4_f32..0.4), (dx, dy) in (-15.0_f32..15.0, -15.0_f32..15.0),
            seed in any::<u32>(), colour in any::<bool>(),
        ) {
            let mut state = seed | 1;
            let mut noise = || { state ^= state << 13; state ^= state >> 17; state ^= state << 5; state as u8 };
            let frame = if colour {
                let px: Vec<Vec3b> = (0..(width + 5) * (height + 5)).map(|_| Vec3b::from([noise(), noise(), noise()])).collect();
                Mat::new_rows_cols_with_data(height + 5, width + 5, &px).expect("a picture").clone_pointee()
            } else {
                let px: Vec<u8> = (0..(width + 5) * (height + 5)).map(|_| noise()).collect();
                Mat::new_rows_cols_with_data(height + 5, width + 5, &px).expect("a picture").clone_pointee()
            };
            // The last pixel of the buffer is the last of the source.
            let source = Mat::roi(&frame, Rect::new(5, 5, width, height)).expect("inside");
            let (content, size) = (Size::new(columns, lines), Size::new(width, height));
            let rows = [[scale, -turn, dx], [turn, scale, dy]];
            let (whole, rest) = maps(content, size, rows);
            if let Some(map) = PackedMap::new(&whole, &rest, size).expect("maps") {
                let (mut ours, mut theirs) = (Mat::default(), Mat::default());
                prop_assert!(map.apply(&source, &mut ours).expect("a picture"));
                imgproc::remap(&source, &mut theirs, &whole, &rest, imgproc::INTER_LINEAR, BORDER_CONSTANT, Scalar::all(0.0)).expect("a picture");
                let (ours, theirs) = (ours.data_bytes().expect("bytes"), theirs.data_bytes().expect("bytes"));
                let off = ours.iter().zip(theirs).filter(|(a, b)| a != b).count();
                prop_assert!(ours.iter().zip(theirs).all(|(a, b)| a.abs_diff(*b) <= 1) && off * 100 <= ours.len(), "{off} of {}", ours.len());
            }
        }
    }

    #[test]
    fn a_lens_fits_and_other_kinds_of_pixels_are_left_to_opencv() {
        if !has_avx2() {
            return;
        }
        let size = Size::new(64, 48);
        let (whole, rest) = maps(size, size, [[0.98, 0.01, 0.3], [-0.01, 0.98, 0.4]]);
        let map = PackedMap::new(&whole, &rest, size).expect("maps").expect("it fits");
        assert!(map.apart.len() < 2 * 64, "{} pixels one by one", map.apart.len());
        let mut content = Mat::default();
        let floats =
            Mat::new_size_with_default(size, opencv::core::CV_32FC1, Scalar::all(1.0)).expect("a Mat");
        assert!(!map.apply(&floats, &mut content).expect("left alone"));
        let larger = Mat::new_size_with_default(Size::new(65, 48), CV_8UC1, Scalar::all(1.0)).expect("a Mat");
        assert!(!map.apply(&larger, &mut content).expect("left alone"));
    }
}
