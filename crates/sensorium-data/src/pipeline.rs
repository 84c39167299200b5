//! Work on many items in parallel, with results in order and bounded memory.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};

use crate::Error;

/// Runs `work` on every job with `threads` workers and gives the results in the jobs' order. At most
/// `capacity` results wait to be taken, also when the first job is the slowest. Dropping the iterator
/// stops the workers after the job at hand; a panic in `work` becomes that job's error.
///
/// ```
/// let squares = sensorium_data::in_order((1..=4).collect(), 2, 4, |n: u64| n * n);
/// let squares: Result<Vec<u64>, _> = squares.collect();
/// assert_eq!(squares?, [1, 4, 9, 16]);
/// # Ok::<(), sensorium_data::Error>(())
/// ```
pub fn in_order<J, R>(
    jobs: Vec<J>,
    threads: usize,
    capacity: usize,
    work: impl Fn(J) -> R + Send + Sync + 'static,
) -> impl Iterator<Item = Result<R, Error>>
where
    J: Send + 'static,
    R: Send + 'static,
{
    let threads = threads.clamp(1, 1024).min(jobs.len().max(1));
    let queue = Arc::new(Queue::new(jobs.into_iter().collect()));
    let work = Arc::new(work);
    for _ in 0..threads {
        let (queue, work) = (Arc::clone(&queue), Arc::clone(&work));
        std::thread::spawn(move || {
            while let Some((job, reply)) = queue.next() {
                let result = catch_unwind(AssertUnwindSafe(|| work(job)));
                // Nobody takes the result of an iterator that was dropped.
                let _ = reply.send(result.map_err(reason));
            }
        });
    }
    InOrder {
        queue,
        capacity: capacity.max(threads),
        waiting: VecDeque::new(),
    }
}

type Reply<R> = SyncSender<Result<R, String>>;

/// Jobs not yet begun, and those that may begin.
struct Queue<J, R> {
    state: Mutex<State<J, R>>,
    ready: Condvar,
}

struct State<J, R> {
    jobs: VecDeque<J>,
    open: VecDeque<(J, Reply<R>)>,
    done: bool,
}

impl<J, R> Queue<J, R> {
    fn new(jobs: VecDeque<J>) -> Self {
        Self {
            state: Mutex::new(State {
                jobs,
                open: VecDeque::new(),
                done: false,
            }),
            ready: Condvar::new(),
        }
    }

    /// The next job to be worked on, waiting for one; none when there will be no more.
    fn next(&self) -> Option<(J, Reply<R>)> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.open.pop_front() {
                return Some(job);
            }
            if state.done {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(|p| p.into_inner());
        }
    }

    /// Lets one more job begin; none when all have begun.
    fn open(&self) -> Option<Receiver<Result<R, String>>> {
        let mut state = self.lock();
        let Some(job) = state.jobs.pop_front() else {
            state.done = true;
            self.ready.notify_all();
            return None;
        };
        let (reply, receiver) = sync_channel(1);
        state.open.push_back((job, reply));
        self.ready.notify_one();
        Some(receiver)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.jobs.clear();
        state.open.clear();
        state.done = true;
        self.ready.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<J, R>> {
        self.state.lock().unwrap_or_else(|p| p.into_inner())
    }
}

struct InOrder<J, R> {
    queue: Arc<Queue<J, R>>,
    capacity: usize,
    waiting: VecDeque<Receiver<Result<R, String>>>,
}

impl<J, R> Iterator for InOrder<J, R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() < self.capacity
            && let Some(receiver) = self.queue.open()
        {
            self.waiting.push_back(receiver);
        }
        let receiver = self.waiting.pop_front()?;
        let gone = || Err("it ended early".to_owned());
        let result = receiver.recv().unwrap_or_else(|_| gone());
        Some(result.map_err(|reason| Error::Worker { reason }))
    }
}

impl<J, R> Drop for InOrder<J, R> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn reason(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast::<&str>()
            .map_or_else(|_| "no reason given".to_owned(), |text| (*text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_bounded() {
        let begun = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&begun);
        let mut results = in_order((0..100).collect(), 4, 6, move |n: usize| {
            seen.fetch_add(1, Ordering::SeqCst);
            n
        });
        assert_eq!(results.next().unwrap().unwrap(), 0);
        assert!(begun.load(Ordering::SeqCst) <= 6);
        let rest: Vec<usize> = results.map(Result::unwrap).collect();
        assert_eq!(rest, (1..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_is_one_job_s_error() {
        let results: Vec<_> = in_order(vec![1, 2, 3], 2, 2, |n: u32| {
            assert!(n != 2, "two is bad");
            n
        })
        .collect();
        assert_eq!(results[0].as_ref().unwrap(), &1);
        assert!(
            results[1]
                .as_ref()
                .unwrap_err()
                .to_string()
                .contains("two is bad")
        );
        assert_eq!(results[2].as_ref().unwrap(), &3);
    }

    #[test]
    fn dropping_stops_and_nothing_is_nothing() {
        let mut results = in_order((0..1_000_000).collect(), 2, 4, |n: u64| n);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        drop(results);
        assert_eq!(in_order(Vec::<u8>::new(), 2, 4, |n| n).count(), 0);
    }
}
