//! A request that runs, and an answer that may go out piece by piece while it does.

use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use chassis::{Chassis, Outcome, Owing, Piece, Request, Ticket};
use futures_util::{FutureExt as _, stream};
use model::{Envelope, RequestId};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, channel};

use super::outlet;
use crate::meter::RequestSpan;

/// Pieces that may wait for a slow client; the request waits with them.
const WAITING: usize = 1;

/// Whether the answer may be sent in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    InPieces,
    AtOnce,
}

/// What a running request comes to next.
pub(super) enum Step {
    /// A piece of its answer; it goes on.
    Piece(Envelope),
    /// There will be an answer; it goes on without its client.
    Ticket(Ticket),
    /// Its end.
    End(Box<Outcome>),
    /// Its end by a bug.
    Panicked,
}

impl Step {
    fn of(piece: Piece) -> Self {
        match piece {
            Piece::Part(envelope) => Self::Piece(envelope),
            Piece::Ticket(ticket) => Self::Ticket(ticket),
        }
    }
}

/// A request under way; no outcome is a panic.
type Run = Pin<Box<dyn Future<Output = Option<Box<Outcome>>> + Send>>;

/// A request that runs for as long as this exists, and until its workers have their jobs.
pub(super) struct Running {
    run: Option<Run>,
    owing: Owing,
    pieces: Receiver<Piece>,
    ended: Option<Box<Outcome>>,
}

impl Running {
    pub(super) fn start(
        chassis: Arc<Chassis>,
        request: Request,
        answer: Answer,
        span: Option<Arc<RequestSpan>>,
    ) -> Self {
        let (out, pieces) = channel(WAITING);
        let (id, owing) = (request.id.clone(), request.owing());
        let run = async move {
            let request = match span {
                Some(span) => span.entered(request),
                None => request,
            };
            match answer {
                Answer::InPieces => chassis.run_streaming(request, out).await,
                Answer::AtOnce => chassis.run(request).await,
            }
        };
        Self::of(run, id, owing, pieces)
    }

    fn of(
        run: impl Future<Output = Outcome> + Send + 'static,
        id: RequestId,
        owing: Owing,
        pieces: Receiver<Piece>,
    ) -> Self {
        // A bug below must cost this one answer, not the connection or the process (E2). It is told here, as
        // nobody may be there any more who takes the end.
        let run = AssertUnwindSafe(run).catch_unwind().map(move |end| {
            if end.is_err() {
                tracing::error!(request_id = %id, "request ended by a panic");
            }
            end.ok().map(Box::new)
        });
        Self { run: Some(Box::pin(run)), owing, pieces, ended: None }
    }

    /// Runs it on, to its next piece or its end. Pieces come before the end, also when both
    /// are there at once.
    pub(super) async fn step(&mut self) -> Step {
        if let Some(run) = &mut self.run {
            tokio::select! {
                biased;
                Some(piece) = self.pieces.recv() => return Step::of(piece),
                ended = run => {
                    self.run = None;
                    self.ended = ended;
                }
            }
        }
        match (self.pieces.try_recv(), self.ended.take()) {
            (Ok(piece), ended) => {
                self.ended = ended;
                Step::of(piece)
            }
            (Err(_), Some(outcome)) => Step::End(outcome),
            (Err(_), None) => Step::Panicked,
        }
    }

    /// Runs it to its end, which it keeps itself.
    pub(super) async fn run_out(mut self) {
        while let Step::Piece(_) | Step::Ticket(_) = self.step().await {}
    }

    /// The rest of the answer, behind `first`. A request that fails now breaks the answer off:
    /// its status has been sent.
    pub(super) fn body(self, first: Bytes, request: RequestId) -> Body {
        let state = (Some(self), Some(first));
        Body::from_stream(stream::unfold(state, move |(running, first)| {
            let request = request.clone();
            async move {
                if let Some(first) = first {
                    return Some((Ok(first), (running, None)));
                }
                let mut running = running?;
                loop {
                    let (piece, rest) = match running.step().await {
                        Step::Piece(envelope) => (outlet::piece(&envelope), Some(running)),
                        // No ticket is given behind a piece.
                        Step::Ticket(_) => (Ok(Bytes::new()), Some(running)),
                        Step::End(outcome) => match &outcome.failure {
                            Some(failed) => (Err(failed.failure.clone()), None),
                            None => (outlet::piece(&outcome.envelope), None),
                        },
                        Step::Panicked => return Some((broken_off("a panic").await, (None, None))),
                    };
                    match (piece, rest) {
                        (Ok(bytes), Some(rest)) if bytes.is_empty() => running = rest,
                        (Ok(bytes), None) if bytes.is_empty() => return None,
                        (Ok(bytes), rest) => return Some((Ok(bytes), (rest, None))),
                        (Err(failure), _) => {
                            tracing::warn!(request_id = %request, code = failure.fault.code(), "answer broken off");
                            return Some((broken_off(failure.fault.code()).await, (None, None)));
                        }
                    }
                }
            }
        }))
    }
}

/// A client that leaves takes its request along, but not the jobs that its workers are about to be given.
impl Drop for Running {
    fn drop(&mut self) {
        if let (Some(run), Ok(runtime)) = (self.run.take().filter(|_| self.owing.is()), Handle::try_current())
        {
            drop(runtime.spawn(run));
        }
    }
}

/// The error that ends an answer early. What came before it is written first: an error at
/// once would make the connection forget it.
async fn broken_off(why: &'static str) -> io::Result<Bytes> {
    tokio::task::yield_now().await;
    Err(io::Error::other(why))
}

#[cfg(test)]
mod tests {
    use model::{Failure, Fault, Path, Value};
    use tokio::sync::mpsc::Sender;

    use super::*;

    fn body(text: &str) -> Envelope {
        let mut envelope = Envelope::default();
        let path = Path::parse("_txc.web.res.body").unwrap();
        envelope
            .set(&path, Value::from(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text)))
            .unwrap();
        envelope
    }

    fn end(envelope: Envelope, failure: Option<Fault>) -> Outcome {
        let failure = failure
            .map(|fault| chassis::RequestFailure { failure: Failure::new(fault, ""), rule: String::new() });
        Outcome { envelope, failure, begun: true, waits: false, ticket: None, steps: Vec::new() }
    }

    fn running<F: Future<Output = Outcome> + Send + 'static>(
        run: impl FnOnce(Sender<Piece>) -> F,
    ) -> Running {
        let (out, pieces) = channel(WAITING);
        Running::of(run(out), id(), Owing::default(), pieces)
    }

    async fn read(body: Body) -> Result<String, axum::Error> {
        let bytes = axum::body::to_bytes(body, usize::MAX).await?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn send(out: &Sender<Piece>, text: &str) {
        out.send(Piece::Part(body(text))).await.unwrap();
    }

    fn id() -> RequestId {
        RequestId::parse("req_1111111111111111111111").unwrap()
    }

    #[tokio::test]
    async fn pieces_come_in_order_and_before_the_end() {
        let mut running = running(|out| async move {
            send(&out, "two,").await;
            send(&out, "").await;
            send(&out, "three,").await;
            end(body("four"), None)
        });
        assert!(matches!(running.step().await, Step::Piece(envelope) if envelope == body("two,")));
        let whole = read(running.body(Bytes::from("one,two,"), id())).await;
        assert_eq!(whole.unwrap(), "one,two,three,four");
    }

    /// E2 of the weaknesses: there a panic ends the process.
    #[tokio::test]
    async fn a_panic_ends_the_one_request_that_it_is_in() {
        let mut alone = running(|_out| async { panic!("a bug") });
        assert!(matches!(alone.step().await, Step::Panicked));
        let later = running(|out| async move {
            send(&out, "two").await;
            panic!("a bug")
        });
        assert!(read(later.body(Bytes::from("one"), id())).await.is_err(), "half an answer is no answer");
    }

    #[tokio::test]
    async fn a_failure_breaks_the_answer_off() {
        let failing = running(|_out| async { end(Envelope::default(), Some(Fault::OpFailed)) });
        assert!(read(failing.body(Bytes::from("one"), id())).await.is_err());
        let ending = running(|_out| async { end(Envelope::default(), None) });
        assert_eq!(read(ending.body(Bytes::from("one"), id())).await.unwrap(), "one");
    }

    #[tokio::test]
    async fn who_leaves_ends_the_request() {
        let (told, mut dropped) = channel::<()>(1);
        let mut leaving = running(|out| async move {
            let _told = told;
            send(&out, "one").await;
            std::future::pending().await
        });
        assert!(matches!(leaving.step().await, Step::Piece(_)));
        drop(leaving.body(Bytes::from("one"), id()));
        assert_eq!(dropped.recv().await, None);
    }
}
