//! Bytes on their way out, a piece at a time.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use bytes::Bytes;
use futures_util::stream::try_unfold;
use s3s::dto::StreamingBlob;

/// How many bytes are read at a time, which is what an answer has in memory.
const PIECE_BYTES: usize = 256 * 1024;

/// Reads a range of a file. No thread is held while the client takes its time.
pub(crate) fn give(file: File, range: Range<u64>) -> StreamingBlob {
    let left = range.end.saturating_sub(range.start);
    let state = (file, Some(range.start), left);
    StreamingBlob::wrap(try_unfold(state, |(file, start, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || piece(file, start, left)).await;
        let (file, bytes) = read.map_err(io::Error::other)??;
        let left = left - bytes.len() as u64;
        Ok::<_, io::Error>(Some((bytes, (file, None, left))))
    }))
}

fn piece(mut file: File, start: Option<u64>, left: u64) -> io::Result<(File, Bytes)> {
    if let Some(start) = start {
        file.seek(SeekFrom::Start(start))?;
    }
    let length = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok((file, Bytes::from(bytes)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::StreamExt;

    use super::*;

    async fn given(content: &[u8], range: Range<u64>) -> Result<Vec<u8>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let mut stream = give(file, range);
        let mut all = Vec::new();
        while let Some(bytes) = stream.next().await {
            all.extend_from_slice(&bytes.map_err(|error| error.to_string())?);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn a_range_is_given_and_no_more() {
        let content: Vec<u8> = (0..=255).cycle().take(PIECE_BYTES * 2 + 7).collect();
        let size = content.len() as u64;
        assert_eq!(given(&content, 0..size).await.unwrap(), content);
        assert_eq!(given(&content, 5..9).await.unwrap(), content[5..9]);
        assert_eq!(given(&content, 0..0).await.unwrap(), b"");
        // A file that is shorter than its record says ends the answer with an error.
        assert!(given(&content, 0..size + 1).await.is_err());
    }
}
