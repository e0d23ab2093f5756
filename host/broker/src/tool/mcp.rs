//! Tools of MCP servers: programs that somebody else wrote, outside of the
//! sandbox, asked through the protocol's own SDK.
//!
//! What a server says of its tools is read once, when it is started. Names are
//! put into plain words, and every text and number of it is under one digest; an
//! operator who has pinned the digest gets that server or none. Later the list is
//! only compared: a server whose list is another one is suspended, because what
//! was approved is not what would be called.
//!
//! A server gets to ask nothing: not for the model (sampling), not for the user
//! (elicitation), not for time beyond the call (tasks).
//! What it says of its tools' effects is a claim; what counts is the operator's
//! word, and without one a call is not repeated.
//!
//! Not guarded: a server that is a child process is as free as the user who runs
//! the host. Run it in a container of its own if it is not trusted with that.

mod catalogue;
mod guarded;
mod pipe;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hotcell_store::Digest;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig,
    ClientRequest, ContentBlock, ElicitRequestParams, ElicitResult, ElicitationCreateRequestMethod,
    ErrorCode, Implementation, ListToolsRequest, PaginatedRequestParams, ProtocolVersion,
    ServerResult, Tool,
};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, RequestContext, RoleClient, RunningService,
    serve_client_with_lifecycle,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use rmcp::{ClientHandler, ErrorData, ServiceError};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use super::http::Server;
use super::{EffectKind, ToolCall, ToolError, ToolOutput, ToolProvider, ToolSpec};
use crate::egress::Egress;
use crate::{Broker, Caller, text};
pub use catalogue::{BadList, Catalogue};
use pipe::Pipe;

/// Until a server has said what it offers: 30 s.
const START: Duration = Duration::from_secs(30);

/// How long a list counts as unchanged without being asked for again.
const FRESH: Duration = Duration::from_secs(60);

/// Pages of one list.
const PAGES: usize = 20;

/// The longest words of a server that are repeated, in bytes.
const WORDS: usize = 512;

/// How a server is reached.
#[derive(Clone, Debug)]
pub enum Reach {
    /// A program that the host starts, and ends with itself.
    Program {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
        /// Its whole environment.
        environment: Vec<(String, String)>,
        /// Where it is started.
        folder: PathBuf,
    },
    /// A server at this path of an origin.
    Http {
        /// Where it is.
        server: Server,
        /// Such as `/mcp`.
        path: String,
    },
}

/// One server.
#[derive(Clone, Debug)]
pub struct McpConfig {
    /// What its tools' names start with.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// The longest one call may take.
    pub timeout: Duration,
    /// Bytes of an answer.
    pub most: usize,
    /// What may be done after a crash, by the tools' plain names.
    pub effects: BTreeMap<String, EffectKind>,
    /// What it must say of its tools, if that is pinned.
    pub digest: Option<Digest>,
}

/// Why a server is not used.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// It cannot be started or reached.
    #[error("it does not start: {0}")]
    Start(String),
    /// It said nothing of use in time.
    #[error("it does not say what it offers within {} s", START.as_secs())]
    Late,
    /// What it offers cannot be offered to guests.
    #[error(transparent)]
    List(#[from] BadList),
    /// It is not what was pinned.
    #[error("what it says of its tools has changed: {pinned} was pinned, and it is {is}")]
    Changed {
        /// The operator's digest.
        pinned: Digest,
        /// What it is now.
        is: Digest,
    },
}

impl McpError {
    /// A stable word for tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            McpError::Start(_) | McpError::Late => "tool.unreachable",
            McpError::List(bad) => bad.code(),
            McpError::Changed { .. } => "tool.changed",
        }
    }
}

/// What a server may ask of its client: nothing.
#[derive(Debug)]
struct Deaf {
    changed: Arc<AtomicBool>,
}

impl ClientHandler for Deaf {
    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(ErrorData::method_not_found::<ElicitationCreateRequestMethod>())
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Relaxed);
    }

    fn get_info(&self) -> ClientConfig {
        let this = Implementation::new("hotcell", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), this)
    }
}

/// The tools of a running server.
pub struct McpTools {
    running: RunningService<RoleClient, Deaf>,
    /// Ends the program when this is dropped.
    pipe: Option<Pipe>,
    catalogue: Catalogue,
    changed: Arc<AtomicBool>,
    /// When the list was last what it was.
    seen: Mutex<Instant>,
    timeout: Duration,
    most: usize,
    server: Option<Server>,
}

impl McpTools {
    /// Starts or reaches a server and asks it what it offers.
    pub async fn start(config: McpConfig, egress: &Arc<Egress>) -> Result<McpTools, McpError> {
        let tools = timeout(START, McpTools::connect(&config, egress));
        let tools = tools.await.map_err(|_| McpError::Late)??;
        match config.digest {
            Some(pinned) if pinned != tools.digest() => Err(McpError::Changed {
                pinned,
                is: tools.digest(),
            }),
            _ => Ok(tools),
        }
    }

    async fn connect(config: &McpConfig, egress: &Arc<Egress>) -> Result<McpTools, McpError> {
        let changed = Arc::new(AtomicBool::new(false));
        let deaf = Deaf {
            changed: Arc::clone(&changed),
        };
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        };
        let start = |why: String| McpError::Start(text::line(&why, WORDS));
        let (running, pipe, server) = match &config.reach {
            Reach::Program {
                program,
                arguments,
                environment,
                folder,
            } => {
                let (pipe, (read, write)) =
                    Pipe::open(program, arguments, environment, folder, config.most)
                        .map_err(|error| start(format!("{}: {error}", program.display())))?;
                let lines = AsyncRwTransport::new_client(read, write);
                let running = serve_client_with_lifecycle(deaf, lines, lifecycle).await;
                (running, Some(pipe), None)
            }
            Reach::Http { server, path } => {
                let client = guarded::Guarded::new(egress, server, config.timeout)
                    .ok_or_else(|| start("no HTTP client".to_owned()))?;
                let url = format!("{}{path}", server.origin);
                let http = StreamableHttpClientTransportConfig::with_uri(url)
                    .max_sse_event_size(config.most.saturating_add(ENVELOPE))
                    .reinit_on_expired_session(false);
                let http = StreamableHttpClientTransport::with_client(client, http);
                let running = serve_client_with_lifecycle(deaf, http, lifecycle).await;
                (running, None, Some(server.clone()))
            }
        };
        let running = running.map_err(|error| start(error.to_string()))?;
        let listed = list(&running).await.map_err(|error| match error {
            Listing::Bad(bad) => McpError::List(bad),
            Listing::Service(error) => start(error.to_string()),
        })?;
        Ok(McpTools {
            running,
            pipe,
            catalogue: Catalogue::new(&config.name, listed, &config.effects)?,
            changed,
            seen: Mutex::new(Instant::now()),
            timeout: config.timeout,
            most: config.most,
            server,
        })
    }

    /// The digest of everything that it says of its tools.
    pub fn digest(&self) -> Digest {
        self.catalogue.digest()
    }

    /// Suspends the server if it offers something else by now.
    async fn look_again(&self) -> Result<(), ToolError> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.changed.load(Ordering::Relaxed) && seen.elapsed() >= FRESH {
            let same = match list(&self.running).await {
                Ok(listed) => self.catalogue.is(&listed),
                Err(Listing::Bad(_)) => false,
                Err(Listing::Service(error)) => return Err(self.of_service(error)),
            };
            match same {
                true => {
                    let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *seen = Instant::now();
                }
                false => self.changed.store(true, Ordering::Relaxed),
            }
        }
        match self.changed.load(Ordering::Relaxed) {
            true => Err(ToolError::Failed(
                "tool changed: its server says something else of its tools than when it was \
                 started, and is suspended"
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }

    async fn ask(&self, name: String, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        self.look_again().await?;
        let arguments: Map<String, Value> = serde_json::from_str(&call.arguments)
            .map_err(|e| ToolError::InvalidArguments(format!("not a JSON object: {e}")))?;
        if let Some(pipe) = &self.pipe {
            pipe.allow(self.most);
        }
        let params = CallToolRequestParams::new(name).with_arguments(arguments);
        let refused = |what: &str| Err(ToolError::Failed(format!("it asks for {what}; refused")));
        match self.running.call_tool_once(params).await {
            Ok(CallToolResponse::Complete(result)) => self.output(result),
            Ok(CallToolResponse::InputRequired(_)) => refused("input of the host"),
            Ok(CallToolResponse::Task(_)) => refused("time beyond the call"),
            Ok(_) => Err(ToolError::Failed(
                "its answer is of no known kind".to_owned(),
            )),
            Err(error) => Err(self.of_service(error)),
        }
    }

    fn output(&self, result: CallToolResult) -> Result<ToolOutput, ToolError> {
        let is_error = result.is_error.unwrap_or(false);
        let content = content(result);
        if content.len() > self.most {
            return Err(ToolError::Failed("its answer is too large".to_owned()));
        }
        let credential = self.server.as_ref().and_then(|it| it.credential.as_ref());
        let content = match credential {
            Some(credential) => credential.hide(content),
            None => content,
        };
        Ok(ToolOutput { content, is_error })
    }

    fn of_service(&self, error: ServiceError) -> ToolError {
        match error {
            ServiceError::McpError(error) if error.code == ErrorCode::INVALID_PARAMS => {
                ToolError::InvalidArguments(text::line(&error.message, WORDS))
            }
            ServiceError::McpError(error) => {
                let words = text::line(&error.message, WORDS);
                ToolError::Failed(format!("its server refuses: {words}"))
            }
            ServiceError::Timeout { .. } => ToolError::Timeout,
            _ if self.pipe.as_ref().is_some_and(Pipe::is_over) => {
                ToolError::Failed("its server said too much and is not listened to".to_owned())
            }
            _ => ToolError::Failed("its server is gone".to_owned()),
        }
    }
}

/// What an answer has around its content, in bytes.
const ENVELOPE: usize = 64 << 10;

/// Why there is no list.
enum Listing {
    Bad(BadList),
    Service(ServiceError),
}

/// What a server offers now. Asked of it each time: how long an answer counts is
/// not for the server to say.
async fn list(running: &RunningService<RoleClient, Deaf>) -> Result<Vec<Tool>, Listing> {
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
        let page = running
            .send_request(request)
            .await
            .map_err(Listing::Service)?;
        let ServerResult::ListToolsResult(page) = page else {
            return Err(Listing::Service(ServiceError::UnexpectedResponse));
        };
        tools.extend(page.tools);
        if tools.len() > catalogue::TOOLS {
            break;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
    Err(Listing::Bad(BadList::TooMany))
}

/// A result as JSON: what is structured as it is, one text as the JSON it is or as
/// a text, and everything else as a list of its parts. Links in it are words.
fn content(result: CallToolResult) -> String {
    if let Some(structured) = result.structured_content {
        return structured.to_string();
    }
    match result.content.as_slice() {
        [ContentBlock::Text(only)] => match serde_json::from_str::<Value>(&only.text) {
            Ok(value) => value.to_string(),
            Err(_) => Value::String(only.text.clone()).to_string(),
        },
        parts => serde_json::to_string(parts).unwrap_or_default(),
    }
}

#[async_trait]
impl ToolProvider for McpTools {
    fn specs(&self) -> &[ToolSpec] {
        self.catalogue.specs()
    }

    async fn call(&self, _: &Broker, _: &Caller, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        let name = self.catalogue.own_name(&call.name);
        let name = name.ok_or(ToolError::Unknown)?.to_owned();
        let asked = timeout(self.timeout, self.ask(name, call)).await;
        asked.unwrap_or(Err(ToolError::Timeout))
    }
}
