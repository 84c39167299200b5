//! Work on many items in parallel, with results in order, bounded memory and an end to every job.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::Error;

/// How long a job may take, unless another time is given: a file of the largest size read is decoded in a few seconds.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Runs `work` on every job with `threads` workers and gives the results in the jobs' order. At most
/// `capacity` results wait to be taken, also when the first job is the slowest. Dropping the iterator
/// stops the workers after the job at hand.
///
/// A job that panics, or takes longer than the deadline, gives an error in its own place; the others go on. A thread
/// cannot be stopped from outside: one that hangs is left behind, and a new one takes its place.
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
) -> InOrder<J, R>
where
    J: Send + 'static,
    R: Send + 'static,
{
    let threads = threads.clamp(1, 1024).min(jobs.len().max(1));
    let results = InOrder {
        queue: Arc::new(Queue::new(jobs.into_iter().collect())),
        work: Arc::new(work),
        capacity: capacity.max(threads),
        waiting: VecDeque::new(),
        deadline: DEADLINE,
    };
    (0..threads).for_each(|_| results.start_worker());
    results
}

/// What a worker tells of a job.
enum News<R> {
    Begun(Instant),
    Done(Result<R, String>),
}

type Reply<R> = SyncSender<News<R>>;

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
    fn open(&self) -> Option<Receiver<News<R>>> {
        let mut state = self.lock();
        let Some(job) = state.jobs.pop_front() else {
            state.done = true;
            self.ready.notify_all();
            return None;
        };
        let (reply, receiver) = sync_channel(2); // begun and done: a worker never waits
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

/// The results of [`in_order`].
pub struct InOrder<J, R> {
    queue: Arc<Queue<J, R>>,
    work: Arc<dyn Fn(J) -> R + Send + Sync>,
    capacity: usize,
    waiting: VecDeque<Receiver<News<R>>>,
    deadline: Duration,
}

impl<J: Send + 'static, R: Send + 'static> InOrder<J, R> {
    /// Gives each job so long, instead of [`DEADLINE`].
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn start_worker(&self) {
        let (queue, work) = (Arc::clone(&self.queue), Arc::clone(&self.work));
        std::thread::spawn(move || {
            while let Some((job, reply)) = queue.next() {
                // Not silenced: a panic that reaches this is a fault of ours, and should say where it is.
                let begun = reply.send(News::Begun(Instant::now()));
                let result = begun.map(|()| catch_unwind(AssertUnwindSafe(|| work(job))));
                let told = result.map(|r| reply.send(News::Done(r.map_err(reason))));
                // Nobody takes the result: the iterator was dropped, or another took this worker's place.
                if !matches!(told, Ok(Ok(()))) {
                    return;
                }
            }
        });
    }

    /// Waits for a job. Workers take jobs in order and this waits in order, so that a job which is not begun has only
    /// jobs before it that are done or given up, and a worker to begin it.
    fn wait(&self, news: &Receiver<News<R>>) -> Result<R, Error> {
        let gone = || Error::Worker {
            reason: "it ended early".to_owned(),
        };
        let begun = match news.recv().map_err(|_| gone())? {
            News::Begun(at) => at,
            News::Done(result) => return result.map_err(|reason| Error::Worker { reason }),
        };
        let left = self.deadline.saturating_sub(begun.elapsed());
        match news.recv_timeout(left) {
            Ok(News::Done(result)) => result.map_err(|reason| Error::Worker { reason }),
            Err(RecvTimeoutError::Timeout) => {
                self.start_worker();
                Err(Error::TooSlow {
                    deadline: self.deadline,
                })
            }
            Ok(News::Begun(_)) | Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

impl<J: Send + 'static, R: Send + 'static> Iterator for InOrder<J, R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() < self.capacity
            && let Some(receiver) = self.queue.open()
        {
            self.waiting.push_back(receiver);
        }
        let news = self.waiting.pop_front()?;
        Some(self.wait(&news))
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
    fn a_job_that_hangs_is_given_up_and_replaced() {
        // Two of two workers hang until the test ends.
        let (stop, stopped) = sync_channel::<()>(0);
        let stopped = Mutex::new(stopped);
        let hang = move || drop(stopped.lock().map(|waiting| waiting.recv().is_ok()));
        let results: Vec<_> = in_order((0..8).collect(), 2, 3, move |n: u32| {
            if n == 1 || n == 2 {
                hang();
            }
            n
        })
        .with_deadline(Duration::from_millis(300))
        .collect();
        drop(stop);
        for (n, result) in (0..8).zip(results) {
            match result {
                Ok(found) => assert!(found == n && n != 1 && n != 2),
                Err(error) => {
                    assert!(n == 1 || n == 2, "{n}: {error}");
                    let expected = "took longer than 0.3 s to prepare, and was given up";
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
    }

    #[test]
    fn dropping_stops_and_nothing_is_nothing() {
        let mut results = in_order((0..1_000_000).collect(), 2, 4, |n: u64| n);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        drop(results);
        assert_eq!(in_order(Vec::<u8>::new(), 2, 4, |n| n).count(), 0);
    }
}
