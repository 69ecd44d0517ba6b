//! SHA-256 of files and bytes, as `sha256sum` prints it.

use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::Path;

/// Of bytes: 64 lower-case hex digits.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Of a file of any length, read piece by piece.
pub(crate) fn of_file(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let (mut sha, mut piece) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&sha.finalize())),
            read => sha.update(&piece[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_digest_of_its_bytes_however_long_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for len in [0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1] {
            let bytes: Vec<u8> = (0..len).map(|i: usize| i as u8).collect();
            let path = dir.path().join("f");
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(of_file(&path).unwrap(), of_bytes(&bytes), "{len} bytes");
        }
        assert!(of_bytes(b"").starts_with("e3b0c44298fc1c14"));
    }
}
