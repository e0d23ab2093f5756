//! Spans and numbers to a collector: OTLP, protobuf over HTTP, to the one origin
//! that the host file names and by the way that every request of ours takes.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use hotcell_broker::egress::Egress;
use hotcell_broker::egress::deliver::Delivery;
use hotcell_broker::egress::origin::Origin;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::runtime::Handle;

use super::sample::{Metric, Samples};
use super::spans::{Span, Trace, Value};

/// A collector has so long for one message.
const WITHIN: Duration = Duration::from_secs(5);

/// The most spans of one message.
const BATCH: usize = 512;

/// Sends everything, and says what stopped it. Waits in a thread of its own: the
/// caller's may not be blocked upon.
pub(crate) fn send(collector: &Origin, traces: Vec<Trace>, samples: Samples) -> Result<(), String> {
    let collector = collector.clone();
    let sender = std::thread::Builder::new().name("telemetry".to_owned());
    let sender = sender.spawn(move || all(&collector, &traces, &samples));
    let sender = sender.map_err(|error| error.to_string())?;
    sender.join().map_err(|_| "its thread ended".to_owned())?
}

fn all(collector: &Origin, traces: &[Trace], samples: &Samples) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let client = || Client {
        collector: collector.clone(),
        handle: runtime.handle().clone(),
    };
    let resource = Resource::builder_empty()
        .with_service_name("hotcell")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client())
        .with_endpoint(format!("{collector}/v1/traces"))
        .build()
        .map_err(|error| error.to_string())?;
    exporter.set_resource(&resource);
    let spans: Vec<SpanData> = traces.iter().flat_map(data).collect();
    for batch in spans.chunks(BATCH) {
        runtime
            .block_on(exporter.export(batch.to_vec()))
            .map_err(|error| error.to_string())?;
    }
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(client())
        .with_endpoint(format!("{collector}/v1/metrics"))
        .build()
        .map_err(|error| error.to_string())?;
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter).build())
        .with_resource(resource)
        .build();
    record(&provider, samples);
    provider.shutdown().map_err(|error| error.to_string())
}

fn record(provider: &SdkMeterProvider, samples: &Samples) {
    let meter = provider.meter("hotcell");
    for metric in Metric::ALL {
        let described = metric.described();
        let of = samples.list.iter().filter(|it| it.metric == metric);
        let labels = |labels: &[(&'static str, String)]| -> Vec<KeyValue> {
            let label =
                |(name, value): &(&'static str, String)| KeyValue::new(*name, value.clone());
            labels.iter().map(label).collect()
        };
        if described.bounds.is_empty() {
            let counter = meter.u64_counter(described.name).with_unit(described.unit);
            let counter = counter.with_description(described.help).build();
            for sample in of {
                counter.add(sample.value as u64, &labels(&sample.labels));
            }
            continue;
        }
        let histogram = meter
            .f64_histogram(described.name)
            .with_unit(described.unit)
            .with_description(described.help)
            .with_boundaries(described.bounds.to_vec())
            .build();
        for sample in of {
            histogram.record(sample.value, &labels(&sample.labels));
        }
    }
}

/// A trace as the exporter takes it.
fn data(trace: &Trace) -> Vec<SpanData> {
    let digest = |what: &str| hotcell_broker::store::Digest::of(what.as_bytes()).hex();
    let id = digest(&trace.run);
    let trace_id = TraceId::from_hex(id.get(..32).unwrap_or_default()).unwrap_or(TraceId::INVALID);
    let span_id = |place: usize| {
        let id = digest(&format!("{} {place}", trace.run));
        SpanId::from_hex(id.get(..16).unwrap_or_default()).unwrap_or(SpanId::INVALID)
    };
    let began = began(&trace.run);
    let span = |(place, span): (usize, &Span)| {
        let start_time = began + span.start;
        let state = TraceState::default();
        let attribute = |(name, value): &(&'static str, Value)| match value {
            Value::Text(text) => KeyValue::new(*name, text.clone()),
            Value::Number(number) => {
                KeyValue::new(*name, i64::try_from(*number).unwrap_or(i64::MAX))
            }
            Value::Flag(flag) => KeyValue::new(*name, *flag),
        };
        let mut attributes: Vec<KeyValue> = span.attributes.iter().map(attribute).collect();
        if let Some(failed) = &span.failed {
            attributes.push(KeyValue::new("error.type", failed.clone()));
        }
        SpanData {
            span_context: SpanContext::new(
                trace_id,
                span_id(place),
                TraceFlags::SAMPLED,
                false,
                state,
            ),
            parent_span_id: span.parent.map_or(SpanId::INVALID, span_id),
            parent_span_is_remote: false,
            span_kind: match span.client {
                true => SpanKind::Client,
                false => SpanKind::Internal,
            },
            name: Cow::Owned(span.name.clone()),
            start_time,
            end_time: start_time + span.took,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match &span.failed {
                Some(failed) => Status::error(failed.clone()),
                None => Status::Unset,
            },
            instrumentation_scope: InstrumentationScope::builder("hotcell").build(),
        }
    };
    trace.spans.iter().enumerate().map(span).collect()
}

/// When a run was begun: its id says so.
fn began(run: &str) -> SystemTime {
    let id = uuid::Uuid::parse_str(run).ok();
    let moment = id.and_then(|id| id.get_timestamp()).map(|it| it.to_unix());
    let (seconds, nanos) = moment.unwrap_or_default();
    UNIX_EPOCH + Duration::new(seconds, nanos)
}

/// Sends to the collector and to nobody else.
struct Client {
    collector: Origin,
    handle: Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.collector)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let header = request.headers().get("content-type");
        let content_type = header.and_then(|value| value.to_str().ok());
        let delivery = Delivery {
            origin: self.collector.clone(),
            path: request.uri().path().to_owned(),
            content_type: content_type.unwrap_or("application/x-protobuf").to_owned(),
            body: request.body().to_vec(),
            within: WITHIN,
        };
        // Whoever waits here may have no runtime; the request needs one.
        let sent = self
            .handle
            .spawn(async move { Egress::default().deliver(delivery).await });
        let (status, body) = sent.await??;
        let response = Response::builder().status(status).body(Bytes::from(body))?;
        Ok(response)
    }
}
