//! An answer of HTTP/2 whose client has to go on opening its window.
//!
//! `stall` watches a connection. A client that reads all of it, and opens no window for one answer, would still keep
//! that answer and its request for as long as it likes. So each answer watches what is taken of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderValue, Response, header};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// The most bytes of a piece: what a frame holds unless a client asks for more.
const PIECE: usize = 16 << 10;
/// How long a client without a request may take to see that the server ends.
const LAST_CALL: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// Of the stream that this task answers; a connection of HTTP/1 has none.
    static TAKEN: Arc<Taken>;
}

/// Starts the tasks of the HTTP/2 streams of a connection, and ends those of which nothing is taken for some time. The
/// stream is then reset, as the library does with one whose task is gone.
#[derive(Clone)]
pub(super) struct Streams {
    within: Duration,
    open: Arc<AtomicUsize>,
}

impl Streams {
    /// Streams whose clients must take something every `within`.
    pub(super) fn new(within: Duration) -> Self {
        Self { within, open: Arc::default() }
    }

    /// Returns once there was none for so long as a client may take to see that the server ends. One of HTTP/2 is told,
    /// and asked for a sign that it has heard; who gives none would keep the connection.
    pub(super) async fn none_left(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            sleep(LAST_CALL / 2).await;
            quiet = if self.open.load(Ordering::Acquire) == 0 { quiet + 1 } else { 0 };
        }
    }
}

/// A stream is open as long as its task has this.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (within, taken, open) = (self.within, Arc::new(Taken::default()), Open::new(&self.open));
        tokio::spawn(async move {
            let _open = open;
            tokio::select! {
                biased;
                () = TAKEN.scope(Arc::clone(&taken), stream) => {}
                () = taken.stalled(within) => tracing::debug!("a stream ended whose client opens no window"),
            }
        });
    }
}

/// The same answer in pieces that say when they were taken. It ends only when the last one was: until then the task
/// of its stream can still end it.
pub(super) fn watched(answer: Response<Body>) -> Response<Body> {
    let Ok(taken) = TAKEN.try_with(Arc::clone) else { return answer };
    let length = answer.body().size_hint().exact();
    if length == Some(0) {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    if let Some(length) = length {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    let state = (body.into_data_stream(), Bytes::new(), taken);
    let pieces = stream::unfold(state, |(mut body, mut rest, taken)| async move {
        while rest.is_empty() {
            match body.next().await {
                Some(Ok(more)) => rest = more,
                Some(Err(error)) => return Some((Err(error), (body, rest, taken))),
                None => {
                    taken.all().await;
                    return None;
                }
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        Some((Ok(Bytes::from_owner(Piece::new(piece, &taken))), (body, rest, taken)))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

/// How an answer is taken.
#[derive(Default)]
struct Taken {
    state: Mutex<State>,
    /// Pieces are under way again.
    begun: Notify,
    /// None is.
    ended: Notify,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// When the last piece was taken, or the first went out after a time with none.
    since: Option<Instant>,
}

impl Taken {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once pieces wait of which nothing was taken for `within`.
    async fn stalled(&self, within: Duration) {
        loop {
            let since = self.state().since;
            match since.map(|since| since + within) {
                None => self.begun.notified().await,
                Some(end) if end <= Instant::now() => return,
                Some(end) => sleep_until(end).await,
            }
        }
    }

    /// Returns once everything was taken.
    async fn all(&self) {
        while self.state().under_way > 0 {
            self.ended.notified().await;
        }
    }
}

/// A part of an answer. It is dropped when it has been written to the connection, or never will be.
struct Piece {
    bytes: Bytes,
    taken: Arc<Taken>,
}

impl Piece {
    fn new(bytes: Bytes, taken: &Arc<Taken>) -> Self {
        let mut state = taken.state();
        state.under_way += 1;
        if state.since.is_none() {
            state.since = Some(Instant::now());
            taken.begun.notify_one();
        }
        drop(state);
        Self { bytes, taken: Arc::clone(taken) }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut state = self.taken.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.since = (state.under_way > 0).then(Instant::now);
        let all = state.under_way == 0;
        drop(state);
        if all {
            self.taken.ended.notify_one();
        }
    }
}
