//! Rights, given and taken by the requests that Kafka's own tools send: starting one of those takes seconds.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a right is a right to.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// The topic of this name.
    Topic(&'a str),
    /// The consumer group of this name.
    Group(&'a str),
    /// The cluster as a whole.
    Cluster,
}

/// An operation that is allowed to a user from everywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) user: &'a str,
    pub(super) operation: &'a str,
    pub(super) resource: Resource<'a>,
}

const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;
/// The last version of both whose fields have fixed lengths.
const VERSION: i16 = 1;
/// A resource of exactly this name.
const LITERAL: i8 = 3;
const ALLOW: i8 = 3;

/// Gives a right.
pub(super) fn grant(broker: SocketAddr, right: Right<'_>) -> io::Result<()> {
    ask(broker, CREATE_ACLS, right)
}

/// Takes a right.
pub(super) fn revoke(broker: SocketAddr, right: Right<'_>) -> io::Result<()> {
    ask(broker, DELETE_ACLS, right)
}

/// Sends a request about one right. The fields of the two requests differ in their meaning alone.
fn ask(broker: SocketAddr, request: i16, right: Right<'_>) -> io::Result<()> {
    let (kind, name) = match right.resource {
        Resource::Topic(name) => (2_i8, name),
        Resource::Group(name) => (3, name),
        Resource::Cluster => (4, "kafka-cluster"),
    };
    let mut body = Vec::new();
    body.extend(request.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    let (correlation_id, rights) = (0_i32, 1_i32);
    body.extend(correlation_id.to_be_bytes());
    put_text(&mut body, "testbed")?;
    body.extend(rights.to_be_bytes());
    body.extend(kind.to_be_bytes());
    put_text(&mut body, name)?;
    body.extend(LITERAL.to_be_bytes());
    put_text(&mut body, &format!("User:{}", right.user))?;
    put_text(&mut body, "*")?;
    body.extend(operation_code(right.operation)?.to_be_bytes());
    body.extend(ALLOW.to_be_bytes());

    let mut connection = TcpStream::connect(broker)?;
    connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let length = i32::try_from(body.len()).map_err(io::Error::other)?;
    connection.write_all(&length.to_be_bytes())?;
    connection.write_all(&body)?;
    // The length, the request's id, how long it was throttled, and the count of results precede the first one.
    let mut answer = [0; 4 * 4 + 2];
    connection.read_exact(&mut answer)?;
    match answer {
        [.., 0, 0] => Ok(()),
        [.., high, low] => {
            let code = i16::from_be_bytes([high, low]);
            Err(io::Error::other(format!("error {code} for {right:?}")))
        }
    }
}

fn put_text(body: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let length = i16::try_from(text.len()).map_err(io::Error::other)?;
    body.extend(length.to_be_bytes());
    body.extend(text.as_bytes());
    Ok(())
}

/// An operation as the protocol numbers it.
fn operation_code(name: &str) -> io::Result<i8> {
    match name {
        "READ" => Ok(3),
        "WRITE" => Ok(4),
        "CREATE" => Ok(5),
        "DESCRIBE" => Ok(8),
        other => Err(io::Error::other(format!("{other} is no operation of ours"))),
    }
}
