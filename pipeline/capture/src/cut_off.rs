//! Whether a stored or streamed picture is all there. Decoders fill what is missing with grey and say nothing.

/// True for a JPEG that begins and does not end, and a BMP shorter than it says. What is neither is for its decoder to
/// refuse.
///
/// A JPEG ends with its end marker, or with zeros after it: some cameras fill up their last transfer.
pub(crate) fn is_cut_off(picture: &[u8]) -> bool {
    match picture {
        [0xFF, 0xD8, rest @ ..] => !ends_as_a_jpeg(rest),
        // Some writers leave the size 0.
        [b'B', b'M', a, b, c, d, ..] => picture.len() < u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => false,
    }
}

fn ends_as_a_jpeg(rest: &[u8]) -> bool {
    const END: [u8; 2] = [0xFF, 0xD9];
    let padding = rest.iter().rev().take_while(|&&byte| byte == 0).count();
    rest[..rest.len() - padding].ends_with(&END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_whole_up_to_its_end_or_it_is_cut_off() {
        for (bytes, cut) in [
            (&[0xFF, 0xD8, 1, 2, 0xFF, 0xD9][..], false),
            (&[0xFF, 0xD8, 1, 2, 0xFF, 0xD9, 0, 0, 0], false),
            (&[0xFF, 0xD8, 1, 2, 0xFF], true),
            (&[0xFF, 0xD8, 1, 0xFF, 0xD9, 7, 7], true),
            (&[0xFF, 0xD8], true),
            (&[b'B', b'M', 8, 0, 0, 0, 1, 2], false),
            (&[b'B', b'M', 8, 0, 0, 0, 1], true),
            (&[b'B', b'M', 0, 0, 0, 0, 1], false),
            (&[0x89, b'P', b'N', b'G'], false),
            (&[], false),
        ] {
            assert_eq!(is_cut_off(bytes), cut, "{bytes:?}");
        }
    }
}
