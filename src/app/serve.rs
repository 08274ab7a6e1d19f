//! The life of a server process: start, listen, stop.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{App, Overrides};
use crate::{
    config::Config,
    http::{self, AppState, ServerLimits},
    worker::Worker,
};

/// How long the database is given to close; a wedged connection must not hold the process.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT, then drains: readiness fails, no new connection is accepted, requests
/// under way are answered within `server.drain_timeout_secs`.
///
/// `announce` is given the lines for the operator: addresses, the set-up token where there is one, and at
/// last `ready`.
///
/// Errors: whatever keeps the server from starting.
pub async fn serve(mut config: Config, announce: impl Fn(&str) -> std::io::Result<()>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let public = bind("public_addr", config.server.public_addr).await?;
    let internal = bind("internal_addr", config.server.internal_addr).await?;
    let admin = bind("admin_addr", config.server.admin_addr).await?;
    config.server.public_addr = public.local_addr()?; // port 0 is known only now, and the issuer names it

    let app = Arc::new(App::start(config, Overrides::default()).await?);
    let worker = Worker::new();
    app.spawn_loops(&worker);
    announce(&format!("public   http://{}", public.local_addr()?))?;
    announce(&format!("internal http://{}", internal.local_addr()?))?;
    announce(&format!("admin    http://{}", admin.local_addr()?))?;
    if app.config.docs.enabled {
        announce(&format!("docs     http://{}/docs", public.local_addr()?))?;
    }
    if let Some(token) = &app.setup_token {
        announce(&format!("setup    {}", token.expose()))?;
    }

    let routers = http::routers(&AppState(app.clone()));
    let limits = ServerLimits::from(&app.config.server);
    let stop = worker.shutdown_token();
    let listeners = [(public, routers.public), (internal, routers.internal), (admin, routers.admin)];
    for (listener, router) in listeners {
        let (limits, stop, tracker) = (limits.clone(), stop.clone(), worker.tracker().clone());
        worker.spawn("listener", async move { http::serve(listener, router, &limits, stop, &tracker).await });
    }
    announce("ready")?;

    tokio::select! {
        _ = terminate.recv() => tracing::info!("asked to stop by SIGTERM"),
        _ = interrupt.recv() => tracing::info!("asked to stop by SIGINT"),
    }
    app.begin_drain();
    let limit = limits.drain_timeout + Duration::from_secs(1);
    if let Err(unfinished) = worker.shutdown(limit).await {
        tracing::warn!(tasks = unfinished.0, "stopped before everything was finished");
    }
    if tokio::time::timeout(CLOSE_TIMEOUT, app.write_usage()).await.is_err() {
        tracing::warn!("the last uses were not written in time");
    }
    if tokio::time::timeout(CLOSE_TIMEOUT, app.db.close()).await.is_err() {
        tracing::warn!("the database did not close in time");
    }
    Ok(())
}

async fn bind(key: &str, address: std::net::SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on `{address}` of `server.{key}`"))
}
