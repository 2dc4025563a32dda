//! What clients connect to: it passes everything on to librdkafka's mock cluster, and edits some kinds of answers.
//!
//! The mock answers ApiVersions v3 and later in the layout of no version. KIP-511 asks for that of v0 with an error
//! and the versions that are supported; a client then asks again. It offers the new protocol of consumer groups, by which
//! it assigns nothing, and answers a Produce that wants no answer. And Metadata and FindCoordinator hold the mock's own
//! port, at which a client would miss these edits. The controller that Metadata names is no broker: clients would wait for it
//! with what they ask of controllers, though the mock answers none of that.

use std::{convert::Infallible, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufStream, copy_buf, sink},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const CONSUMER_GROUP_HEARTBEAT: [u8; 2] = 68_i16.to_be_bytes();
/// The body of an answer to ApiVersions: the error UNSUPPORTED_VERSION, and that ApiVersions is supported from 0 to 2.
const UNSUPPORTED_VERSION: [u8; 12] = [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2];
/// How the name of the mock's cluster begins.
const CLUSTER: &[u8] = b"mockCluster";
/// Addresses are among the first bytes of an answer, before the topics.
const HEAD_BYTES: u64 = 256;
const BUFFER_BYTES: usize = 64 * 1024;

/// Relays the listener's connections to the mock's address, until dropped.
pub(super) async fn run(listener: TcpListener, mock: String) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(connections.spawn(relay(client, mock.clone()))),
            Err(error) => {
                tracing::warn!(%error, "the in-memory broker cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Relays a connection, one request at a time as Kafka does, until a side closes it: that is the error returned.
async fn relay(client: TcpStream, mock: String) -> io::Result<Infallible> {
    let mock = TcpStream::connect(mock).await?;
    let [from, to] = [mock.peer_addr()?, client.local_addr()?]
        .map(|address| [b"127.0.0.1\0\0".as_slice(), &address.port().to_be_bytes()].concat());
    client.set_nodelay(true)?;
    mock.set_nodelay(true)?;
    let [mut client, mut mock] =
        [client, mock].map(|stream| BufStream::with_capacity(BUFFER_BYTES, BUFFER_BYTES, stream));
    loop {
        let size = client.read_u32().await?;
        let (key, version) = (client.read_i16().await?, client.read_i16().await?);
        let rest = u64::from(size).checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
        mock.write_u32(size).await?;
        mock.write_i16(key).await?;
        mock.write_i16(version).await?;
        let mut request = (&mut client).take(rest);
        let mut start = Vec::new();
        if key == PRODUCE {
            start = read_acks(&mut request, version).await?;
            mock.write_all(&start).await?;
        }
        copy_buf(&mut request, &mut mock).await?;
        (request.limit() == 0)
            .then_some(())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut size = mock.read_u32().await?;
        let mut answer = (&mut mock).take(size.into());
        // The correlation id, and what is edited of the body.
        let mut head = Vec::new();
        match (key, version) {
            (API_VERSIONS, 3..) => {
                answer.read_to_end(&mut head).await?;
                head.truncate(4);
                head.extend(UNSUPPORTED_VERSION);
                size = 16;
            }
            (API_VERSIONS, _) => {
                answer.read_to_end(&mut head).await?;
                // Behind the correlation id, an error and a count: each request that is offered. Nobody knows the new key.
                let mut offers = head.get_mut(10..).unwrap_or_default().chunks_mut(6);
                if let Some(offer) = offers.find(|offer| offer.starts_with(&CONSUMER_GROUP_HEARTBEAT)) {
                    offer[0] = 0x7f;
                }
            }
            (METADATA | FIND_COORDINATOR, _) => {
                (&mut answer).take(HEAD_BYTES).read_to_end(&mut head).await?;
                if let Some(at) = head.windows(from.len()).position(|bytes| bytes == from) {
                    head[at..at + to.len()].copy_from_slice(&to);
                }
                if key == METADATA {
                    name_controller(&mut head);
                }
            }
            (PRODUCE, _) if start.ends_with(&[0, 0]) => {
                copy_buf(&mut answer, &mut sink()).await?;
                continue;
            }
            _ => (),
        }
        client.write_u32(size).await?;
        client.write_all(&head).await?;
        copy_buf(&mut answer, &mut client).await?;
    }
}

/// Writes the id of the only broker as that of the controller, which comes after the name of the cluster.
fn name_controller(head: &mut [u8]) {
    let name = head.windows(CLUSTER.len()).position(|bytes| bytes == CLUSTER);
    let rest = name.map(|at| {
        at + head[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
    });
    if let Some(controller) = rest.and_then(|rest| head.get_mut(rest..rest + 4)) {
        controller.copy_from_slice(&1_i32.to_be_bytes());
    }
}

/// Returns a request to Produce up to its acks, which come after the correlation id and one or two strings.
async fn read_acks(request: &mut (impl AsyncRead + Unpin), version: i16) -> io::Result<Vec<u8>> {
    let mut start = vec![0; 4];
    request.read_exact(&mut start).await?;
    for _ in 0..if version < 3 { 1 } else { 2 } {
        let length = request.read_i16().await?;
        start.extend(length.to_be_bytes());
        let mut text = (&mut *request).take(length.max(0).unsigned_abs().into());
        text.read_to_end(&mut start).await?;
    }
    start.extend(request.read_i16().await?.to_be_bytes());
    Ok(start)
}
