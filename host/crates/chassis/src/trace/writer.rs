//! Who writes the files of a trace: the request itself, or a thread beside it that makes requests wait and loses
//! nothing (weakness T6).

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// Writes in the order it is asked to.
#[derive(Debug, Default)]
pub(crate) struct Writer(Option<Beside>);

#[derive(Debug)]
struct Beside {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// A thread of its own, with `places` for what waits to be written; at least one.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn beside(places: usize) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(places.max(1));
        let thread = thread::Builder::new().name("trace-writer".to_owned()).spawn(move || work(&waiting))?;
        Ok(Self(Some(Beside { jobs: Some(jobs), thread: Some(thread) })))
    }

    /// Writes, now or soon; waits for a place when there is none.
    pub(crate) fn write(&self, job: impl FnOnce() + Send + 'static) {
        let Some(jobs) = self.0.as_ref().and_then(|beside| beside.jobs.as_ref()) else { return job() };
        if let Err(unsent) = jobs.send(Box::new(job)) {
            // The thread is gone, which it never is; the trace is kept all the same.
            unsent.0();
        }
    }

    /// Waits until everything that was asked for before is written.
    pub(crate) fn flush(&self) {
        let (done, wait) = channel();
        self.write(move || {
            let _heard = done.send(());
        });
        // An error says that the job is gone: there is nothing to wait for.
        let _done = wait.recv();
    }
}

fn work(waiting: &Receiver<Job>) {
    while let Ok(job) = waiting.recv() {
        job();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes traces has panicked: a bug in txco");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_is_lost_and_the_order_is_kept_however_small_the_queue() {
        for writer in [Writer::default(), Writer::beside(0).unwrap(), Writer::beside(3).unwrap()] {
            let written = Arc::new(Mutex::new(Vec::new()));
            for number in 0..200 {
                let written = Arc::clone(&written);
                writer.write(move || {
                    if number % 50 == 0 {
                        thread::sleep(Duration::from_millis(2));
                    }
                    written.lock().unwrap().push(number);
                });
            }
            writer.flush();
            assert_eq!(*written.lock().unwrap(), (0..200).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_end_waits_for_what_is_queued() {
        let writer = Writer::beside(10).unwrap();
        let written = Arc::new(Mutex::new(0));
        for _ in 0..10 {
            let written = Arc::clone(&written);
            writer.write(move || {
                thread::sleep(Duration::from_millis(1));
                *written.lock().unwrap() += 1;
            });
        }
        drop(writer);
        assert_eq!(*written.lock().unwrap(), 10);
    }
}
