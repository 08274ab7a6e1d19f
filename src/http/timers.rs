//! Time limits that are set for every request and run out for next to none.
//!
//! To arm a timer of the runtime, and to drop it, takes a lock that all connections share. One that is armed already
//! and moved to a later moment takes none. So a connection keeps its timers from one request to the next; one that is
//! kept wakes the connection once, for nothing, when no request has moved it on.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::http::Extensions;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::arrival::Arrival;

/// Timers that a connection keeps at most: one for each limit that a request usually has, and some to spare.
const KEPT: usize = 4;

/// An armed timer, and the limit that it is for.
type Armed = (Duration, Pin<Box<Sleep>>);

pin_project! {
    /// Work under a limit. A type of its own: an `async fn` would hold the work twice.
    #[derive(Debug)]
    pub(super) struct Within<F> {
        #[pin]
        work: F,
        limit: Duration,
        timers: Timers,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

/// The timers of a connection. A clone is the same timers.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers(Arc<Mutex<Vec<Armed>>>);

impl Timers {
    /// Those of the connection that a request came by; new ones for a request that came by none.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Arrival>().map(|arrival| arrival.timers.clone()).unwrap_or_default()
    }

    /// What `work` comes to within `limit`; `None` when it took longer.
    pub(super) fn within<F>(self, limit: Duration, work: F) -> Within<F> {
        Within { work, limit, timers: self, timer: None }
    }

    /// A timer that ends `limit` from now.
    fn armed(&self, limit: Duration) -> Pin<Box<Sleep>> {
        let kept = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let place = kept.iter().position(|(of, _)| *of == limit);
            place.map(|place| kept.swap_remove(place).1)
        };
        let end = Instant::now() + limit;
        match kept {
            Some(mut timer) => {
                timer.as_mut().reset(end);
                timer
            }
            None => Box::pin(sleep_until(end)),
        }
    }

    fn keep(&self, limit: Duration, timer: Pin<Box<Sleep>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push((limit, timer));
        }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        let Poll::Ready(done) = this.work.poll(cx) else {
            let timer = this.timer.get_or_insert_with(|| this.timers.armed(*this.limit));
            return timer.as_mut().poll(cx).map(|()| None);
        };
        if let Some(timer) = this.timer.take() {
            this.timers.keep(*this.limit, timer);
        }
        Poll::Ready(Some(done))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn each_request_has_the_whole_limit() {
        let timers = Timers::default();
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(timers.clone().within(LIMIT, sleep(LIMIT / 10 * 9)).await, Some(()));
            assert_eq!(timers.0.lock().unwrap().len(), 1, "the timer is kept");
            assert_eq!(began.elapsed(), LIMIT / 10 * 9);
        }
        let began = Instant::now();
        assert_eq!(timers.clone().within(LIMIT, pending::<()>()).await, None);
        assert_eq!(began.elapsed(), LIMIT);
        sleep(LIMIT * 3).await;
        assert_eq!(timers.within(LIMIT, sleep(LIMIT / 2)).await, Some(()), "after a rest too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_ran_out_while_it_was_kept_starts_anew() {
        let timers = Timers::default();
        assert_eq!(timers.clone().within(LIMIT, sleep(LIMIT / 2)).await, Some(()));
        sleep(LIMIT * 3).await;
        let began = Instant::now();
        assert_eq!(timers.within(LIMIT, pending::<()>()).await, None);
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn limits_do_not_share_a_timer() {
        let timers = Timers::default();
        let inner = timers.clone().within(LIMIT, sleep(LIMIT / 2));
        assert_eq!(timers.clone().within(LIMIT * 3, inner).await, Some(Some(())));
        assert_eq!(timers.0.lock().unwrap().len(), 2);
        let began = Instant::now();
        assert_eq!(timers.within(LIMIT, pending::<()>()).await, None);
        assert_eq!(began.elapsed(), LIMIT);
    }
}
