//! One run of the engine's process: the parent's side and the child's.

use std::{
    collections::VecDeque,
    ffi::{CString, OsStr, OsString},
    fs::{File, TryLockError},
    io::{self, BufRead},
    net::{IpAddr, SocketAddr, TcpListener},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::Mode,
    process::{Signal, getpid, kill_process, umask},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdin, Command},
    task::JoinSet,
};
use tracing::{debug, error, warn};

use super::{EngineError, EngineOptions, local};
use crate::{access, library};

/// How long the engine may take until it serves. It takes a fraction of a second, unless it has many parts to load.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How long to wait for the engine of a parent that was killed, which is about to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the engine may take to end once its input has ended, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(1);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How many of the last lines of its output say why it ended.
const LAST_LINES: usize = 6;

/// The stack of the thread that calls the library: what ClickHouse gives its own threads. Deep queries need it.
const STACK: usize = 8 << 20;

/// Starts the listeners, then holds the session open with a query that needs no table and no right. A sleep may take
/// 3 s, and a row of the result is one sleep.
const SESSION: &str = "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; \
                       SELECT sleepEachRow(3) FROM numbers(1000000000000) SETTINGS max_block_size = 1 FORMAT Null";

/// What the child needs to know.
#[derive(Debug)]
pub(super) struct Orders {
    library: PathBuf,
    data: PathBuf,
    listen: IpAddr,
    http_port: u16,
    native_port: u16,
}

impl Orders {
    /// On free ports where none are given.
    pub(super) fn new(options: &EngineOptions) -> io::Result<Self> {
        let listen = options.http.ip();
        let free_port = || Ok::<_, io::Error>(TcpListener::bind((listen, 0))?.local_addr()?.port());
        Ok(Self {
            library: options.library.clone(),
            data: options.data.clone(),
            listen,
            http_port: match options.http.port() {
                0 => free_port()?,
                port => port,
            },
            native_port: match &options.member {
                Some(member) => member.native_port(),
                None => free_port()?,
            },
        })
    }

    pub(super) fn http(&self) -> SocketAddr {
        (local(self.listen), self.http_port).into()
    }

    pub(super) fn native(&self) -> SocketAddr {
        (local(self.listen), self.native_port).into()
    }

    /// Fields that end in a zero byte each, which no path holds.
    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [
            self.listen.to_string(),
            self.http_port.to_string(),
            self.native_port.to_string(),
        ];
        let fields = [self.library.as_os_str(), self.data.as_os_str()]
            .into_iter()
            .chain(numbers.iter().map(OsStr::new));
        fields
            .flat_map(|field| field.as_bytes().iter().copied().chain([0]))
            .collect()
    }

    /// Reads what [`Orders::to_bytes`] made; none where there are no orders.
    fn read(input: &mut impl BufRead) -> Option<Self> {
        let mut field = || {
            let mut bytes = Vec::new();
            input.read_until(0, &mut bytes).ok()?;
            (bytes.pop() == Some(0)).then(|| OsString::from_vec(bytes))
        };
        Some(Self {
            library: field()?.into(),
            data: field()?.into(),
            listen: field()?.to_str()?.parse().ok()?,
            http_port: field()?.to_str()?.parse().ok()?,
            native_port: field()?.to_str()?.parse().ok()?,
        })
    }

    /// The arguments of the library's command line.
    fn command_line(&self) -> Vec<CString> {
        let option =
            |name: &str, value: &OsStr| [OsStr::new(name), OsStr::new("="), value].join(OsStr::new(""));
        let text = |value: &dyn ToString| OsString::from(value.to_string());
        let arguments = [
            "clickhouse-local".into(),
            option("--config-file", self.data.join(access::CONFIG_FILE).as_os_str()),
            option("--path", self.data.join("data").as_os_str()),
            option("--listen_host", &text(&self.listen)),
            option("--http_port", &text(&self.http_port)),
            option("--tcp_port", &text(&self.native_port)),
            "--log-level=warning".into(),
            "--query".into(),
            SESSION.into(),
        ];
        arguments
            .into_iter()
            .filter_map(|argument: OsString| CString::new(argument.into_vec()).ok())
            .collect()
    }
}

/// Runs the engine in this process, as [`Engine`](super::Engine) orders on standard input, and ends with it. Returns
/// its error where it ends by itself.
pub fn run_engine() -> Result<(), String> {
    let Some(orders) = Orders::read(&mut io::stdin().lock()) else {
        return Err("this command is started by others, which say on standard input what to do".to_owned());
    };
    // Nothing that the engine writes can be read by other users.
    umask(Mode::RWXG | Mode::RWXO);
    #[cfg(target_os = "linux")]
    if !crate::sandbox::confine(&orders.library, &orders.data)
        .map_err(|error| format!("cannot confine the engine to its directory: {error}"))?
    {
        eprintln!("this kernel has no Landlock: the engine can read what its owner can read");
    }
    let watch = || {
        let _ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // An exit would run the library's destructors while its threads run, which crashed in trials.
        let _gone = kill_process(getpid(), Signal::KILL);
    };
    let engine = move || {
        let data = orders.data.join("data");
        wait_for_lock(&data)?;
        let ended = library::run_command_line(&orders.library, &orders.command_line());
        let error = ended.map_err(|error| {
            format!(
                "cannot load the engine's library {}: {error}",
                orders.library.display()
            )
        })?;
        Err(error.unwrap_or_else(|| "its session ended".to_owned()))
    };
    let failed = |error: io::Error| format!("cannot start a thread: {error}");
    thread::Builder::new().spawn(watch).map_err(failed)?;
    let engine = thread::Builder::new().stack_size(STACK).spawn(engine);
    engine
        .map_err(failed)?
        .join()
        .unwrap_or_else(|_| Err("its thread panicked".to_owned()))
}

/// Waits until no engine has the directory open, or for as long as one may take that is about to end.
fn wait_for_lock(data: &Path) -> Result<(), String> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    while is_locked(data) {
        if Instant::now() > deadline {
            return Err(format!("another engine has {} open", data.display()));
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Whether an engine holds the lock on the file `status` that it keeps in its directory.
fn is_locked(data: &Path) -> bool {
    File::open(data.join("status"))
        .is_ok_and(|status| matches!(status.try_lock(), Err(TryLockError::WouldBlock)))
}

/// A child that serves. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: JoinSet<()>,
    last_lines: LastLines,
}

type LastLines = Arc<Mutex<VecDeque<String>>>;

impl Process {
    /// Starts the child, and returns once it serves.
    pub(super) async fn start(options: &EngineOptions, orders: &Orders) -> Result<Self, EngineError> {
        let (program, arguments) = &options.program;
        let spawn_failed = |source| EngineError::Spawn { source };
        let mut child = Command::new(program)
            .args(arguments)
            // Settings in the environment hold secrets, which the engine has no use for.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // What is typed at a terminal is for the parent, which then ends the engine last.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(spawn_failed)?;
        let mut input = child.stdin.take();
        if let Some(input) = &mut input {
            let sent = async {
                input.write_all(&orders.to_bytes()).await?;
                input.flush().await
            };
            sent.await.map_err(spawn_failed)?;
        }
        let last_lines = LastLines::default();
        let mut output = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            output.spawn(log_output(stderr, Arc::clone(&last_lines)));
        }
        let mut process = Self {
            child,
            input,
            output,
            last_lines,
        };
        tokio::select! {
            reason = process.ended() => Err(EngineError::Ended { reason }),
            served = serves(orders.native()) => if served {
                Ok(process)
            } else {
                Err(EngineError::Timeout { limit: START_TIMEOUT })
            },
        }
    }

    /// The child's; 0 once it has ended.
    pub(super) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Waits until the child ends by itself; why it did.
    pub(super) async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        // Its output ends with it.
        while self.output.join_next().await.is_some() {}
        let lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        if lines.is_empty() {
            return status;
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        format!("{} ({status})", lines.join("; "))
    }

    /// Ends the child.
    pub(super) async fn end(mut self) {
        self.input = None;
        if tokio::time::timeout(END_TIMEOUT, self.child.wait())
            .await
            .is_err()
            && let Err(error) = self.child.kill().await
        {
            warn!(%error, "the embedded engine cannot be ended");
        }
    }
}

/// Whether the engine accepts connections in time. The native interface is the last that it starts, and its port was
/// free, so nobody else answers there.
async fn serves(native: SocketAddr) -> bool {
    let connected = async {
        while TcpStream::connect(native).await.is_err() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(START_TIMEOUT, connected).await.is_ok()
}

/// Logs what the engine writes until it ends, and keeps the last lines.
async fn log_output(stderr: ChildStderr, last_lines: LastLines) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if line.is_empty() {
            continue;
        }
        // Its errors are those of statements, which whoever sent them is told.
        if line.contains("<Fatal>") {
            error!(target: "clickhouse", "{line}");
        } else {
            debug!(target: "clickhouse", "{line}");
        }
        let mut last = last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
}
