//! A connection's socket: it fails where its client stops reading, and gives a body to the errors that hyper answers by itself.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// How long a client may read nothing of what is sent to it.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The same once the process is asked to end.
const STOPPING_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to read on after an error of a request that was not read to its end: a socket that is closed with unread bytes
/// takes the answer away from its client.
const LINGER: Duration = Duration::from_secs(1);

/// The socket of a connection.
pub(super) struct Socket {
    stream: TcpStream,
    stopping: Arc<AtomicBool>,
    /// Ends a write, or a shutdown, that makes no progress.
    timer: Option<Pin<Box<Sleep>>>,
    /// How many bytes of what was offered are not written yet: until then nothing begins.
    unsent: usize,
    /// An error in the place of hyper's, and how much of it is written.
    error: Option<(Vec<u8>, usize)>,
    /// Whether an error was written.
    failed: bool,
}

impl Socket {
    /// Once `stopping` is true, a client that reads nothing is given up soon.
    pub(super) const fn new(stream: TcpStream, stopping: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            stopping,
            timer: None,
            unsent: 0,
            error: None,
            failed: false,
        }
    }

    /// Passes on the outcome of a write, and fails where there has been none for too long.
    fn in_time<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let limit = if self.stopping.load(Ordering::Relaxed) {
            STOPPING_WRITE_TIMEOUT
        } else {
            WRITE_TIMEOUT
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        let latest = Instant::now() + limit;
        if timer.deadline() > latest {
            timer.as_mut().reset(latest);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn write_part(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    /// Writes an error in the place of hyper's, if `bytes` are one.
    fn write_error(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.error.is_none() && self.unsent == 0 {
            self.error = with_body(bytes).map(|error| (error, 0));
        }
        let (error, mut written) = self.error.take()?;
        while let Some(rest) = error.get(written..).filter(|rest| !rest.is_empty()) {
            match self.write_part(context, rest) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => {
                    self.error = Some((error, written));
                    return Some(Poll::Pending);
                }
            }
        }
        self.failed = true;
        Some(Poll::Ready(Ok(bytes.len())))
    }
}

/// The error that hyper answers to what it cannot read as a request, with a body as all others have. Ours are never empty.
fn with_body(bytes: &[u8]) -> Option<Vec<u8>> {
    const EMPTY: &str = "content-length: 0\r\n";
    let head = std::str::from_utf8(bytes).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let detail = match status {
        "400" => "the request cannot be read as HTTP",
        "414" => "the address is too long",
        "431" => "the headers are too large",
        _ => return None,
    };
    let (before, after) = head.split_once(EMPTY)?;
    let body = format!(r#"{{"detail":"{detail}"}}"#);
    let length = body.len();
    let head = format!("{before}content-type: application/json\r\ncontent-length: {length}\r\n{after}");
    Some((head + &body).into_bytes())
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(written) = self.write_error(context, bytes) {
            return written;
        }
        let written = ready!(self.write_part(context, bytes))?;
        self.unsent = self.unsent.max(bytes.len()) - written;
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.first()
            && let Some(written) = self.write_error(context, first)
        {
            return written;
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        let written = ready!(self.in_time(context, written))?;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        self.unsent = self.unsent.max(offered) - written;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        if !self.failed {
            return Poll::Ready(Ok(()));
        }
        if self.timer.is_none() {
            self.timer = Some(Box::pin(sleep(LINGER)));
        }
        let mut ignored = [0; 8_192];
        loop {
            let mut buffer = ReadBuf::new(&mut ignored);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(Ok(()))
    }
}
