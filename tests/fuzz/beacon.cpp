// Arbitrary text as a player's report, and whatever it claims put before a session's accounts: no
// credit without delivery, and never more than the wall clock.
#include <cstdlib>

#include "server/hours/metering/session_book.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok;
  const auto report = metering::parse_beacon(as_text(as_bytes(data, size)));
  if (!report) return 0;
  static const auto kCatalogue = [] {
    catalogue::CatalogueConfig config;
    config.enterprises = {{"e", "E", catalogue::EnterpriseKind::iptv}};
    config.programmes = {{"p", "w", "P", "demo", "e", std::nullopt, std::nullopt}};
    return std::make_shared<const catalogue::Catalogue>(
        catalogue::Catalogue::create(config).value());
  }();
  metering::SessionBook book({}, rules::RuleSet(), kCatalogue);
  access::SessionToken token;
  token.channel = "demo";
  token.expires = UtcTime::max();
  metering::Moment now{MonoTime(seconds(100)), UtcTime(seconds(1'790'000'000))};
  book.opened(token, now);
  for (const rules::Span& span : report->played) {
    evidence::Delivered delivered;
    delivered.channel = "demo";
    delivered.rendition = "source";
    delivered.video = true;
    delivered.interval = {metering::from_ms(span.from),
                          metering::from_ms((span.from + span.to) / 2)};
    book.take_fact(delivered, now);
  }
  constexpr std::int64_t kPassed = 7'000;
  now = {now.mono + milliseconds(kPassed), now.utc + milliseconds(kPassed)};
  book.reported(token, *report, now);
  book.reported(token, *report, now);
  book.close_all(now);
  std::int64_t credited = 0;
  for (const ledger::Leaf& leaf : book.take()) {
    credited += leaf.credit_ms;
    if (!ledger::decode_leaf(encode(leaf))) std::abort();
  }
  if (credited > kPassed) std::abort();
  return 0;
}
