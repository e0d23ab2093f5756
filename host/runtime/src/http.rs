//! `wasi:http/outgoing-handler` 0.2: requests of a guest, through the broker and
//! no other way. What comes in from outside, and sockets, are not linked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hotcell_broker::egress::{HttpError, Incoming, Patience, Sent, is_the_hosts};
use hotcell_broker::store::guard::Guard;
use hotcell_broker::{Broker, Caller};
use http::HeaderName;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView,
    WasiHttpHooks, WasiHttpView,
};

use crate::cell::State;
use crate::limits::Account;

/// Bytes that one set of fields may take in memory, as wasi-http counts them: 32
/// KiB. Names and values count with the structures around them.
const FIELD_BYTES: usize = 32 * 1024;

/// The most bytes of one write to a request's body.
const CHUNK: usize = 64 * 1024;

/// What the host keeps for a request under way, roughly: a piece of its body, a
/// piece of the answer's, and both heads. Counts against the cell's memory.
const KEPT: usize = 192 * 1024;

/// A cell's side of HTTP. Made at the first use.
pub(crate) struct HttpState {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks {
    broker: Broker,
    caller: Caller,
    account: Arc<Account>,
    sent: Sent,
}

/// Links the types and the handler for requests that go out.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = types::LinkOptions::default();
    types::add_to_linker::<State, WasiHttp>(linker, &options, |s| s.entered().http())?;
    outgoing_handler::add_to_linker::<State, WasiHttp>(linker, |s| s.entered().http())
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (broker, caller) = (&self.broker, &self.caller);
        let account = Arc::clone(self.account());
        let http = self.http.get_or_insert_with(|| {
            let mut ctx = WasiHttpCtx::new();
            if Guard::EgressFields.on() {
                ctx.set_field_size_limit(FIELD_BYTES);
            }
            let hooks = Hooks {
                broker: broker.clone(),
                caller: caller.clone(),
                account,
                sent: Sent::default(),
            };
            Box::new(HttpState { ctx, hooks })
        });
        WasiHttpCtxView {
            hooks: &mut http.hooks,
            table: &mut self.table,
            ctx: &mut http.ctx,
        }
    }
}

type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Worker), Error>;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_the_hosts(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_the_hosts)
    }

    /// A request without a scheme means `https`, as the default has it.
    fn default_scheme(&mut self) -> Option<http::uri::Scheme> {
        Some(http::uri::Scheme::HTTPS)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Worker,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let options = options.unwrap_or_default();
        let patience = Patience {
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
        };
        let request = request.map(Outgoing);
        let Some(kept) = self.account.hold(KEPT) else {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        };
        let answer = self
            .broker
            .fetch(&self.caller, request, patience, &mut self.sent);
        Box::new(async move {
            let response = answer.await.map_err(error_to_guest)?;
            let body = |body: Incoming| {
                let kept = move |error| {
                    // It counts for as long as the body is there.
                    let _kept = &kept;
                    error_to_guest(error)
                };
                body.map_err(kept).boxed_unsync()
            };
            let nothing_left: Worker = Box::new(async { Ok(()) });
            Ok((response.map(body), nothing_left))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

/// A guest's body with an error that is one.
struct Outgoing(WasiBody);

#[derive(Debug, thiserror::Error)]
#[error("the guest's body: {0}")]
struct Unfinished(Error);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(Unfinished)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

fn error_to_guest(error: HttpError) -> Error {
    match error {
        HttpError::Denied(_)
        | HttpError::Field(_)
        | HttpError::Exhausted
        | HttpError::Secret
        | HttpError::NoSecret
        | HttpError::Unwritten => Error::HttpRequestDenied,
        HttpError::Compressed => Error::HttpResponseContentCoding(None),
        HttpError::Prohibited => Error::DestinationIpProhibited,
        HttpError::Url(_) => Error::HttpRequestUriInvalid,
        HttpError::RequestHead => Error::HttpRequestHeaderSectionSize(None),
        HttpError::RequestBody => Error::HttpRequestBodySize(None),
        HttpError::ResponseHead => Error::HttpResponseHeaderSectionSize(None),
        HttpError::ResponseBody => Error::HttpResponseBodySize(None),
        HttpError::Busy => Error::ConnectionLimitReached,
        HttpError::Timeout => Error::HttpResponseTimeout,
        HttpError::Name => Error::DnsError {
            rcode: None,
            info_code: None,
        },
        HttpError::Connect => Error::ConnectionRefused,
        HttpError::Unfinished | HttpError::Broken => Error::HttpProtocolError,
        HttpError::Client => Error::ConfigurationError,
    }
}
