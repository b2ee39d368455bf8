use std::collections::HashSet;

use super::{Cause, Origin};

/// RFC 9209, section 2.3.
const ERROR_TYPES: [&str; 32] = [
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
    "destination_ip_unroutable",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
    "tls_certificate_error",
    "tls_alert_received",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_header_size",
    "http_response_body_size",
    "http_response_trailer_section_size",
    "http_response_trailer_size",
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_internal_response",
    "proxy_internal_error",
    "proxy_configuration_error",
    "proxy_loop_detected",
];

#[test]
fn names_meanings_and_remedies_are_unique() {
    for text in [Cause::name, Cause::meaning, Cause::remedy] {
        let all: HashSet<_> = Cause::ALL.iter().map(|cause| text(*cause)).collect();

        assert_eq!(Cause::ALL.len(), all.len());
    }
}

#[test]
fn a_name_is_its_variant_in_snake_case() {
    for cause in Cause::ALL {
        let camel: String = cause.name().split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();

        assert_eq!(format!("{cause:?}"), camel);
    }
}

#[test]
fn a_cause_stands_at_its_own_number() {
    for (place, cause) in Cause::ALL.iter().enumerate() {
        assert_eq!(place, *cause as usize);
    }
}

#[test]
fn a_cause_is_found_by_its_name_and_nothing_else_is() {
    for cause in Cause::ALL {
        assert_eq!(Some(*cause), Cause::from_name(cause.name()));
    }
    assert_eq!(None, Cause::from_name("No_Route"));
    assert_eq!(None, Cause::from_name(""));
}

#[test]
fn meaning_and_remedy_are_sentences_on_one_line() {
    for cause in Cause::ALL {
        for sentence in [cause.meaning(), cause.remedy()] {
            assert!(sentence.starts_with(|first: char| first.is_ascii_uppercase()), "{sentence}");
            assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
            assert!(sentence.len() > 15, "{sentence}");
        }
    }
}

#[test]
fn an_error_is_one_of_rfc_9209_and_missing_only_where_no_response_is_made() {
    for cause in Cause::ALL {
        let answers = cause.status() != 0 && *cause != Cause::ClientAbort;

        assert_eq!(answers, ERROR_TYPES.contains(&cause.error()), "{cause:?}");
        assert_eq!(!answers, cause.error().is_empty(), "{cause:?}");
    }
}

#[test]
fn the_status_tells_whose_fault_it_was() {
    for cause in Cause::ALL {
        let fits = match (cause.origin(), cause.status()) {
            (_, 0) | (Origin::Client, 400..=499 | 501 | 505) => true,
            (Origin::Gateway, status) => [404, 503, 504].contains(&status),
            (Origin::Upstream, status) => [502, 504].contains(&status),
            (Origin::Client, _) => false,
        };

        assert!(fits, "{cause:?}");
    }
}
