//! `rapport account`: the 360 profile in the terminal.

use clap::Args;
use rapport::config::Config;
use rapport::domain::entry::Flag;
use rapport::domain::money;
use rapport::domain::reading::ListedEntry;
use rapport::domain::sentiment::Trend;
use rapport::pipeline::profile::{self, Sections};

use super::show::{self, FAINT, HEADING};
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    /// The account's id
    id: String,
    #[command(flatten)]
    place: Place,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let (service, workspace, _lock) = options.place.open_to_read(config).await?;
    let profile = profile::read(&service, workspace, &options.id).await?;
    if options.json {
        println!("{}", serde_json::to_string(&profile)?);
    } else {
        print(&profile.sections);
    }
    Ok(())
}

fn print(sections: &Sections) {
    if let Some(header) = &sections.header.data {
        anstream::println!("{HEADING}{}{HEADING:#}  {}", show::plain(header.account.display_name()), show::plain(&header.account.id));
        let facts =
            [header.account.industry.clone(), header.account.location.clone(), header.account.tier.clone(), header.account.lifecycle_stage.clone()];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        let owner = header.owner.as_ref().and_then(|o| o.name.clone()).map(|name| format!("owner {name}"));
        let active = header.last_activity_at.map(|at| format!("last activity {}", show::time(at)));
        let line: Vec<String> = facts.into_iter().chain(owner).chain(active).collect();
        anstream::println!("{FAINT}{}{FAINT:#}", show::plain(&line.join(" · ")));
    }
    heading("Summary");
    match &sections.summary.data {
        Some(summary) => {
            for paragraph in summary.text.split("\n\n") {
                anstream::println!("{}\n", show::wrap(&show::plain(paragraph), 100, "  "));
            }
            let newer = if summary.stale { format!(", {} newer entries not seen", summary.newer_entries) } else { String::new() };
            anstream::println!(
                "  {FAINT}version {} of {}, because: {}{newer}; read {} of {}{FAINT:#}",
                summary.version,
                show::time(summary.generated_at),
                summary.refreshed_because.trigger,
                summary.coverage.read,
                summary.coverage.total
            );
        }
        None => anstream::println!("  none yet; `rapport summarize` makes one"),
    }
    if let Some(sentiment) = &sections.sentiment.data {
        heading("Sentiment");
        let trend = if sentiment.trend == Trend::Unknown { "too few messages for a trend".to_owned() } else { sentiment.trend.to_string() };
        let (score, label) = (sentiment.score.unwrap_or_default(), sentiment.label.map_or("", |label| label.as_str()));
        let many = if sentiment.messages == 1 { "message" } else { "messages" };
        anstream::println!("  {label} ({score:+.2}), {trend}, from {} {many} of theirs in 90 days", sentiment.messages);
        let said = sentiment.points.iter().filter_map(|point| Some((point, &point.carried_by.first()?.found)));
        let mut said: Vec<_> = said.collect();
        said.sort_by(|(a, _), (b, _)| b.score.abs().total_cmp(&a.score.abs()));
        for (point, carrier) in said.into_iter().take(3) {
            let quote = show::wrap(&show::plain(&carrier.quote), 70, "").lines().next().unwrap_or_default().to_owned();
            anstream::println!("  {} {:+.2}  \"{quote}\"", show::time(point.occurred_at), point.score);
        }
    }
    if let Some(deals) = &sections.deals.data {
        heading("Deals");
        for deal in deals {
            let amount = deal.amount.map_or_else(String::new, |a| money::format(a, deal.currency.as_deref()));
            let status = deal.status.map_or("open", |s| s.as_str());
            anstream::println!(
                "  {:<44} {:<16} {:<6} {amount}",
                show::plain(deal.name.as_deref().unwrap_or(&deal.id)),
                deal.stage.as_deref().unwrap_or("-"),
                status
            );
        }
    }
    if let Some(contacts) = &sections.contacts.data {
        heading("Contacts");
        for contact in contacts {
            let title = contact.title.as_deref().unwrap_or("");
            let role = contact.role.map_or_else(String::new, |r| r.to_string().replace('_', " "));
            anstream::println!("  {:<28} {:<36} {role}", show::plain(contact.name.as_deref().unwrap_or(&contact.id)), show::plain(title));
        }
    }
    if let Some(tickets) = &sections.tickets.data {
        heading("Tickets");
        for ticket in tickets.iter().take(8) {
            let status = ticket.status.map_or("open", |s| s.as_str());
            anstream::println!("  {:<8} {}", status, show::plain(ticket.subject.as_deref().unwrap_or(&ticket.id)));
        }
    }
    if let Some(upcoming) = &sections.upcoming.data {
        heading("Upcoming");
        for item in upcoming {
            let at = item.at.map_or_else(|| "no date".to_owned(), show::time);
            anstream::println!("  {at:<17} {:<8} {}", item.kind, show::plain(item.subject.as_deref().unwrap_or(&item.id)));
        }
    }
    if let Some(communications) = &sections.communications.data {
        heading("Newest communications");
        for ListedEntry { entry, flags, sentiment } in &communications.newest {
            let doubt = if flags.contains(&Flag::UnverifiedSender) { " (unverified sender)" } else { "" };
            let sentiment = sentiment.as_ref().map_or_else(String::new, |said| format!("{:+.2}", said.sentiment.score));
            anstream::println!(
                "  {} {:<15} {sentiment:>5}  {}{doubt}",
                show::time(entry.occurred_at),
                entry.r#type,
                show::plain(entry.subject.as_deref().unwrap_or("(no subject)"))
            );
        }
        let counts: Vec<String> = communications.counts.iter().map(|(t, n)| format!("{n} {t}")).collect();
        anstream::println!("  {FAINT}{}{FAINT:#}", counts.join(", "));
    }
}

fn heading(text: &str) {
    anstream::println!("\n{HEADING}{text}{HEADING:#}");
}
