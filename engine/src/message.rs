//! HTTP messages (RFC 9110) apart from any version of the protocol: what fronts produce, stages read and backs send on.

/// A place in a head's bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// From `start` up to, not including, `end`. Heads are bounded far below four gigabytes.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// Where `part` lies within `whole`, of which it must be a slice.
    #[must_use]
    pub fn of(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        Self::new(start, start + part.len())
    }

    /// The bytes of this place.
    #[must_use]
    pub fn get(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The field names that a gateway must know; all others are `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldName {
    /// A field that is only passed on.
    Other,
    /// `Connection`.
    Connection,
    /// `Content-Length`.
    ContentLength,
    /// `Expect`.
    Expect,
    /// `Forwarded`.
    Forwarded,
    /// `Host`.
    Host,
    /// `Keep-Alive`, `Proxy-Connection`: hop by hop without being named.
    HopByHop,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `TE`.
    Te,
    /// `Trailer`.
    Trailer,
    /// `Upgrade`.
    Upgrade,
    /// `Via`.
    Via,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Forwarded-Host`.
    XForwardedHost,
    /// Any other `X-Forwarded-…`, and `X-Real-IP`.
    XForwardedOther,
    /// `X-Request-Id`.
    XRequestId,
    /// `endpoint-load-metrics`: how busy a server says it is.
    LoadReport,
    /// One of the above written with `_` for `-`, which servers behind read as the same name: never passed on.
    Disguised,
}

impl FieldName {
    /// Its place in a set of kinds.
    #[must_use]
    pub fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Tells a field's name; case does not count.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let known = Self::plain(name);
        if known == Self::Other && memchr::memchr(b'_', name).is_some() {
            let mut dashed = [0; 24];
            if let Some(room) = dashed.get_mut(..name.len()) {
                for (to, from) in room.iter_mut().zip(name) {
                    *to = if *from == b'_' { b'-' } else { *from };
                }
                if Self::plain(room) != Self::Other {
                    return Self::Disguised;
                }
            }
        }
        known
    }

    fn plain(name: &[u8]) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            2 if is("te") => Self::Te,
            3 if is("via") => Self::Via,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") => Self::Upgrade,
            7 if is("trailer") => Self::Trailer,
            9 if is("forwarded") => Self::Forwarded,
            9 if is("x-real-ip") => Self::XForwardedOther,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::HopByHop,
            12 if is("x-request-id") => Self::XRequestId,
            14 if is("content-length") => Self::ContentLength,
            15 if is("x-forwarded-for") => Self::XForwardedFor,
            16 if is("x-forwarded-host") => Self::XForwardedHost,
            16 if is("proxy-connection") => Self::HopByHop,
            17 if is("x-forwarded-proto") => Self::XForwardedProto,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            21 if is("endpoint-load-metrics") => Self::LoadReport,
            14..=24 if name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"x-forwarded-")) => Self::XForwardedOther,
            _ => Self::Other,
        }
    }
}

/// One field line.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// What the gateway makes of the name.
    pub kind: FieldName,
    /// The name as received.
    pub name: Span,
    /// The value without surrounding white space.
    pub value: Span,
}

/// The bytes of a head and the fields found in them.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// The head as received; every span points into it.
    pub bytes: Vec<u8>,
    /// In the order received.
    pub list: Vec<Field>,
    /// One bit for each kind that is in the list.
    pub kinds: u32,
}

/// One field as it is passed on.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Both in HTTP/1's canonical form (`Name: value` and CRLF), where they were received in just that.
    pub whole: Option<&'a [u8]>,
}

impl<'a> Line<'a> {
    /// Of a name and a value.
    #[must_use]
    pub fn new(name: &'a [u8], value: &'a [u8]) -> Self {
        Self { name, value, whole: None }
    }
}

impl Fields {
    /// Adds a field that lies in `bytes`.
    #[cfg(test)]
    pub fn push(&mut self, field: Field) {
        self.kinds |= field.kind.bit();
        self.list.push(field);
    }

    /// Whether any field of that kind is there.
    #[must_use]
    pub fn has(&self, kind: FieldName) -> bool {
        self.kinds & kind.bit() != 0
    }

    /// Every field with its kind.
    pub fn lines(&self) -> impl Iterator<Item = (FieldName, Line<'_>)> {
        self.list.iter().map(|field| (field.kind, self.line(field)))
    }

    fn line(&self, field: &Field) -> Line<'_> {
        let (name, value) = (field.name, field.value);
        let whole = self.bytes.get(name.start as usize..value.end as usize + 2);
        let canonical = value.start == name.end + 2
            && self.bytes.get(name.end as usize..value.start as usize) == Some(b": ")
            && whole.is_some_and(|whole| whole.ends_with(b"\r\n"));
        Line { name: name.get(&self.bytes), value: value.get(&self.bytes), whole: whole.filter(|_| canonical) }
    }

    /// Every field as (kind, name, value).
    pub fn iter(&self) -> impl Iterator<Item = (FieldName, &[u8], &[u8])> {
        self.list.iter().map(|field| (field.kind, field.name.get(&self.bytes), field.value.get(&self.bytes)))
    }

    /// The values of a known field, in order.
    pub fn values(&self, kind: FieldName) -> impl Iterator<Item = &[u8]> {
        let list = if self.has(kind) { self.list.as_slice() } else { &[] };
        list.iter().filter(move |field| field.kind == kind).map(|field| field.value.get(&self.bytes))
    }

    /// Whether any field of that name (lower or any case) passes the test.
    pub fn any(&self, name: &[u8], mut test: impl FnMut(&[u8]) -> bool) -> bool {
        self.iter().any(|(_, known, value)| known.eq_ignore_ascii_case(name) && test(value))
    }

    /// The first value of that name.
    #[must_use]
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name)).map(|(_, _, value)| value)
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.list.clear();
        self.kinds = 0;
    }
}

/// How a message's content ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Length {
    /// There is none.
    #[default]
    None,
    /// After so many bytes.
    Known(u64),
    /// Where its own framing says so; may be followed by trailers.
    Framed,
    /// When the connection closes (responses only).
    UntilClose,
}

/// The request, as every stage sees it.
#[expect(clippy::struct_excessive_bools, reason = "each is a plain fact about the head")]
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    /// All fields.
    pub fields: Fields,
    /// As received, case counts.
    pub method: Span,
    /// The target as received, in whatever form.
    pub target: Span,
    /// The path of the target, `*` for the server itself.
    pub path: Span,
    /// What follows the first `?`.
    pub query: Option<Span>,
    /// The authority: from the target where it has one, else from `Host`; empty in an HTTP/1.0 request without.
    pub authority: Span,
    /// The authority without its port.
    pub host: Span,
    /// 1.1 (else 1.0, whose clients know neither chunks nor interim responses).
    pub modern: bool,
    /// The client will use the connection again.
    pub keep_alive: bool,
    /// How the content ends.
    pub length: Length,
    /// Awaits `100 (Continue)`.
    pub expects_continue: bool,
    /// The `Upgrade` value, where `Connection` names it too.
    pub upgrade: Option<Span>,
    /// `TE: trailers`.
    pub takes_trailers: bool,
    /// Names that `Connection` lists, which end here.
    pub nominated: Vec<Span>,
}

impl RequestHead {
    /// The method's bytes.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.method.get(&self.fields.bytes)
    }

    /// The target's bytes as received.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.target.get(&self.fields.bytes)
    }

    /// The path's bytes as received.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.path.get(&self.fields.bytes)
    }

    /// The query's bytes as received.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|span| span.get(&self.fields.bytes))
    }

    /// Host and port that the client meant.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        self.authority.get(&self.fields.bytes)
    }

    /// The host that the client meant.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.host.get(&self.fields.bytes)
    }

    /// The `Upgrade` value.
    #[must_use]
    pub fn upgrade(&self) -> Option<&[u8]> {
        self.upgrade.map(|span| span.get(&self.fields.bytes))
    }

    /// Whether `Connection` named this field.
    #[must_use]
    pub fn nominates(&self, name: &[u8]) -> bool {
        self.nominated.iter().any(|span| span.get(&self.fields.bytes).eq_ignore_ascii_case(name))
    }

    /// Idempotent by definition (RFC 9110 section 9.2.2).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method(), b"GET" | b"HEAD" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE")
    }

    /// Forgets the last request, keeping the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        let mut nominated = std::mem::take(&mut self.nominated);
        fields.clear();
        nominated.clear();
        *self = Self { fields, nominated, ..Self::default() };
    }
}

/// A response, interim or final.
#[derive(Debug, Clone, Default)]
pub struct ResponseHead {
    /// All fields.
    pub fields: Fields,
    /// 100 to 599.
    pub status: u16,
    /// As received; may be empty.
    pub reason: Span,
    /// 1.1 (else 1.0).
    pub modern: bool,
    /// The server will use the connection again.
    pub keep_alive: bool,
    /// How the content ends.
    pub length: Length,
    /// What `Content-Length` says, also where no content follows.
    pub declared: Option<u64>,
    /// Names that `Connection` lists.
    pub nominated: Vec<Span>,
}

impl ResponseHead {
    /// Whether a final response is still to come.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// Whether `Connection` named this field.
    #[must_use]
    pub fn nominates(&self, name: &[u8]) -> bool {
        self.nominated.iter().any(|span| span.get(&self.fields.bytes).eq_ignore_ascii_case(name))
    }

    /// Forgets the last response, keeping the memory.
    pub fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        let mut nominated = std::mem::take(&mut self.nominated);
        fields.clear();
        nominated.clear();
        *self = Self { fields, nominated, ..Self::default() };
    }
}
