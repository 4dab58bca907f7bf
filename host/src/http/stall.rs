//! A connection whose other end has to go on reading.
//!
//! Who asks for a large answer and does not read it would otherwise keep the connection, the answer and the request for
//! as long as it likes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream that fails once nothing could be written for some time. Time counts only while there is something to
/// write: a connection at rest, and an answer that is still being made, are nobody's fault here.
pub(super) struct Unstalled<S> {
    stream: S,
    within: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Unstalled<S> {
    /// `stream`, whose other end must take something every `within`.
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, stalled: None }
    }

    /// What came of writing, or the end of patience.
    fn within<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let within = self.within;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(within)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.within(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::*;

    /// More than the system keeps for two ends that do not read.
    const MUCH: usize = 64 << 20;

    async fn pair(within: Duration) -> (Unstalled<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Unstalled::new(listener.accept().await.unwrap().0, within), client)
    }

    #[tokio::test]
    async fn who_does_not_read_is_given_up() {
        let (mut server, _client) = pair(Duration::from_millis(200)).await;
        let began = Instant::now();
        let error = server.write_all(&vec![0; MUCH]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn who_reads_slowly_gets_everything() {
        let within = Duration::from_secs(1);
        let (mut server, mut client) = pair(within).await;
        let began = Instant::now();
        let reading = async {
            let (mut piece, mut read) = (vec![0; 1 << 20], 0);
            while read < MUCH {
                sleep(Duration::from_millis(30)).await;
                client.read_exact(&mut piece).await.unwrap();
                read += piece.len();
            }
        };
        let all = vec![0; MUCH];
        let (wrote, ()) = tokio::join!(server.write_all(&all), reading);
        wrote.unwrap();
        assert!(began.elapsed() > within, "all of it took less than one wait: {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_connection_at_rest_is_no_stall() {
        let (mut server, mut client) = pair(Duration::from_millis(20)).await;
        for _ in 0..3 {
            server.write_all(b"x").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'x');
            sleep(Duration::from_millis(60)).await;
        }
    }
}
