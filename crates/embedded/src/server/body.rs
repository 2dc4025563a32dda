//! The text and data of a request, decoded as they arrive.

use std::{
    io::{self, Write},
    time::Duration,
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt as _;

use super::{
    exception::{Exception, Refusal},
    frames::Frames,
};

/// How long the rest of a request's body is read and thrown away after an error. A client that still sends when
/// the connection closes may never see the answer.
const DRAIN: Duration = Duration::from_secs(5);
/// How much of a gzip stream is unpacked at a time, in bytes. It grows at most a thousandfold.
const GZIP_STEP: usize = 4 * 1024;

/// What follows the URL: first the query of the URL if it has one, then the body.
#[derive(Debug)]
pub(super) struct Source {
    ahead: Option<Bytes>,
    body: Body,
    gzip: Option<Gzip>,
    frames: Option<Frames>,
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Packing {
    /// As a whole, by gzip (`Content-Encoding`).
    pub(super) gzip: bool,
    /// In ClickHouse's frames (`decompress=1`), within the gzip.
    pub(super) frames: bool,
}

impl Source {
    /// The body, with what goes ahead of it.
    pub(super) fn new(ahead: Option<Bytes>, body: Body, packing: Packing) -> Self {
        Self {
            ahead,
            body,
            gzip: packing.gzip.then(Gzip::default),
            frames: packing.frames.then(Frames::default),
        }
    }

    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        loop {
            if let Some(data) = self.frames.as_mut().map(Frames::next).transpose()?.flatten() {
                return Ok(Some(data));
            }
            match (self.unzipped().await?, &mut self.frames) {
                (Some(piece), Some(frames)) => frames.push(&piece),
                (None, Some(frames)) => return frames.end().map(|()| None),
                (piece, None) => return Ok(piece),
            }
        }
    }

    /// Gives a piece that the next call returns again.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        self.ahead = Some(piece);
    }

    /// Reads the rest of the body and throws it away, for as long as that is worth it.
    pub(super) async fn drain(mut self) {
        let rest = async { while matches!(self.received().await, Ok(Some(_))) {} };
        if tokio::time::timeout(DRAIN, rest).await.is_err() {
            tracing::debug!("a client goes on sending a request that has failed");
        }
    }

    async fn unzipped(&mut self) -> Result<Option<Bytes>, Exception> {
        loop {
            if let Some(data) = self.gzip.as_mut().map(Gzip::next).transpose()?.flatten() {
                return Ok(Some(data));
            }
            match (self.received().await?, &mut self.gzip) {
                (Some(piece), Some(gzip)) => gzip.received = piece,
                (None, Some(gzip)) => return gzip.end(),
                (piece, None) => return Ok(piece),
            }
        }
    }

    async fn received(&mut self) -> Result<Option<Bytes>, Exception> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| {
                Exception::new(
                    Refusal::NetworkError,
                    format!("Cannot read the request's body: {error}"),
                )
            })?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// A gzip stream that is unpacked step by step.
#[derive(Debug, Default)]
struct Gzip {
    received: Bytes,
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
}

impl Gzip {
    fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        if self.received.is_empty() {
            return Ok(None);
        }
        let decoder = self
            .decoder
            .get_or_insert_with(|| MultiGzDecoder::new(Vec::new()));
        while !self.received.is_empty() {
            let step = self.received.len().min(GZIP_STEP);
            decoder
                .write_all(self.received.get(..step).unwrap_or_default())
                .map_err(|error| inflate_failed(&error))?;
            self.received.advance(step);
            let out = std::mem::take(decoder.get_mut());
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }

    /// What is left once the body has ended; fails where the stream is cut.
    fn end(&mut self) -> Result<Option<Bytes>, Exception> {
        let Some(decoder) = self.decoder.take() else {
            return Ok(None);
        };
        let rest = decoder.finish().map_err(|error| inflate_failed(&error))?;
        Ok(Some(Bytes::from(rest)).filter(|rest| !rest.is_empty()))
    }
}

fn inflate_failed(error: &io::Error) -> Exception {
    Exception::new(
        Refusal::ZlibInflateFailed,
        format!("Cannot decompress the request's body: {error}"),
    )
}
