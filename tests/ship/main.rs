//! `ship` against real receivers: rsyslog over TCP and TLS, syslog-ng, journald, a file; and servers of the tests that speak
//! HTTP. Events arrive byte for byte; whoever is not who he ought to be gets nothing, and the event is kept; whatever dies,
//! nothing is lost that the row does not show.
//!
//! `SSHPROOF_SHIP_EVENTS` and `SSHPROOF_SHIP_ROUNDS` ask for more than the quick default of the random test.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod bulk;
mod certificates;
mod collectors;
mod file;
mod journald;
mod random;
mod receivers;
mod relp;
mod rsyslog;
mod server;
mod syslog_ng;
mod tls;

use std::process::ExitCode;

use common::mimic::{Part, run, trial};

fn main() -> ExitCode {
    let rsyslog = &[Part::Program("rsyslogd")];
    let tls = &[
        Part::Program("rsyslogd"),
        Part::Program("openssl"),
        Part::File("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so"),
    ];
    let relp = &[
        Part::Program("rsyslogd"),
        Part::Program("openssl"),
        Part::File("/usr/lib/x86_64-linux-gnu/rsyslog/imrelp.so"),
    ];
    let syslog_ng = &[Part::Packages, Part::Program("openssl")];
    let journald =
        &[Part::Root, Part::Namespaces, Part::File("/lib/systemd/systemd-journald"), Part::Program("journalctl")];
    let elasticsearch = &[
        Part::Program("rsyslogd"),
        Part::File("/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so"),
        Part::File("/usr/lib/python3/dist-packages/elasticsearch/__init__.py"),
    ];
    let protobuf = &[Part::File("/usr/lib/python3/dist-packages/google/protobuf/json_format.py")];
    run(vec![
        trial("file_gets_every_event", &[], file::gets_every_event),
        trial("file_survives_kills_of_the_shipper", &[Part::Program("strace")], file::survives_kills),
        trial("shipping_needs_no_privileges", &[Part::Root, Part::Program("setpriv")], file::needs_no_privileges),
        trial("one_dead_sink_holds_up_nobody", &[], file::one_dead_sink_holds_up_nobody),
        trial("what_is_too_long_is_a_dead_letter", rsyslog, rsyslog::too_long_is_a_dead_letter),
        trial("rsyslog_tcp_gets_each_byte", rsyslog, rsyslog::tcp_gets_each_byte),
        trial("rsyslog_tls_gets_each_byte", tls, tls::gets_each_byte),
        trial("rsyslog_tls_refusals_keep_the_event", tls, tls::refusals_keep_the_event),
        trial("syslog_ng_tls_gets_each_byte", syslog_ng, syslog_ng::gets_each_byte),
        trial("syslog_ng_tls_refusals_keep_the_event", syslog_ng, syslog_ng::refusals_keep_the_event),
        trial("rsyslog_relp_gets_each_byte", relp, relp::gets_each_byte),
        trial("rsyslog_relp_over_tls", relp, relp::over_tls),
        trial("relp_takes_nothing_for_granted", &[], relp::takes_nothing_for_granted),
        trial("rsyslog_killed_at_random", rsyslog, random::receiver_killed),
        trial("rsyslog_that_lost_its_queue_is_found_out", rsyslog, random::lost_queue),
        trial(
            "bulk_server_is_good_enough_for_foreign_clients",
            elasticsearch,
            bulk::server_is_good_enough_for_foreign_clients,
        ),
        trial("bulk_gets_each_event_once", &[], bulk::each_event_once),
        trial("bulk_survives_kills_of_the_shipper", &[Part::Program("strace")], bulk::survives_kills),
        trial("bulk_answers_are_understood", &[], bulk::every_answer_is_understood),
        trial("splunk_takes_batches", &[], collectors::splunk_takes_batches),
        trial("splunk_is_asked_what_it_has_indexed", &[], collectors::splunk_is_asked_what_it_has_indexed),
        trial("otlp_is_what_the_definitions_say", protobuf, collectors::otlp_is_what_the_definitions_say),
        trial("otlp_answers_are_understood", &[], collectors::otlp_answers_are_understood),
        trial("https_proxies_and_secrets", &[Part::Program("openssl")], collectors::https_proxies_and_secrets),
        trial("our_rsyslog_receiver_works", relp, receivers::rsyslog),
        trial("our_syslog_ng_receiver_works", syslog_ng, receivers::syslog_ng),
        trial("our_prometheus_rules_hold", &[Part::Program("promtool")], receivers::prometheus),
        trial("what_is_unchecked_says_so", &[], receivers::the_rest_says_that_it_is_unchecked),
        trial("journald_gets_each_byte", journald, journald::gets_each_byte),
    ])
}
