#include "server/hours/catalogue/catalogue.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>

#include "server/base/ids.hpp"
#include "server/hours/rules/canonical_json.hpp"

namespace kapok::catalogue {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCatalogueBytes = 64 * 1024 * 1024;
constexpr std::array<EnterpriseKind, 4> kKinds{EnterpriseKind::broadcaster, EnterpriseKind::iptv,
                                               EnterpriseKind::state_internet,
                                               EnterpriseKind::private_internet};

UtcTime start_of(const Programme& programme) {
  return programme.from.value_or(UtcTime::min());
}
UtcTime end_of(const Programme& programme) {
  return programme.to.value_or(UtcTime::max());
}

std::int64_t as_us(UtcTime time) {
  return time.time_since_epoch().count();
}

// Ledger leaves hold the first bytes of an id's SHA-256 (4 for enterprises and channels, 8 for
// works and programmes); two ids that meet in one number would merge in every report.
std::string number_of_id(std::string_view id, std::size_t bytes) {
  return to_hex(ByteSpan(sha256(as_bytes(id))).first(bytes));
}

class Ids {
 public:
  Ids(std::string_view what, std::size_t number_bytes) : what_(what), number_bytes_(number_bytes) {}
  Result<void> add(const std::string& id) {
    if (!is_valid_id(id))
      return fail(Errc::config, "{} id \"{}\" must match [a-z0-9][a-z0-9_-]{{0,63}}", what_, id);
    const auto [at, fresh] = by_number_.emplace(number_of_id(id, number_bytes_), id);
    if (!fresh && at->second == id) return fail(Errc::config, "{} {} is there twice", what_, id);
    if (!fresh)
      return fail(Errc::config, "{} {} and {} have the same ledger number: rename one", what_, id,
                  at->second);
    return {};
  }

 private:
  std::string_view what_;
  std::size_t number_bytes_;
  std::map<std::string, std::string> by_number_;
};

template <class T>
Result<void> unique_ids(const std::vector<T>& items, std::string_view what,
                        std::size_t number_bytes) {
  Ids ids(what, number_bytes);
  for (const T& item : items) KAPOK_TRY(ids.add(item.id));
  return {};
}

const json::value* member(const json::value& value, std::string_view key) {
  return value.is_object() ? value.get_object().if_contains(key) : nullptr;
}
std::string text_of(const json::value& value, std::string_view key) {
  const json::value* held = member(value, key);
  return held != nullptr && held->is_string() ? std::string(held->get_string()) : std::string();
}
bool flag_of(const json::value& value, std::string_view key) {
  const json::value* held = member(value, key);
  return held != nullptr && held->is_bool() && held->get_bool();
}
std::optional<std::int64_t> number_of(const json::value& value, std::string_view key) {
  const json::value* held = member(value, key);
  if (held == nullptr) return std::nullopt;
  boost::system::error_code failed;
  const auto number = held->to_number<std::int64_t>(failed);
  return failed ? std::nullopt : std::optional(number);
}
std::optional<UtcTime> time_of(const json::value& value, std::string_view key) {
  const auto us = number_of(value, key);
  return us ? std::optional(UtcTime(microseconds(*us))) : std::nullopt;
}
Result<std::span<const json::value>> list_of(const json::value& value, std::string_view key) {
  const json::value* held = member(value, key);
  if (held == nullptr || !held->is_array()) return fail(Errc::malformed, "catalogue lacks {}", key);
  return std::span<const json::value>(held->get_array().data(), held->get_array().size());
}

}  // namespace

std::string_view name_of(EnterpriseKind kind) {
  switch (kind) {
    case EnterpriseKind::broadcaster:
      return "broadcaster";
    case EnterpriseKind::iptv:
      return "iptv";
    case EnterpriseKind::state_internet:
      return "state_internet";
    case EnterpriseKind::private_internet:
      return "private_internet";
  }
  return "unknown";
}

Result<Catalogue> Catalogue::create(CatalogueConfig config) {
  Catalogue out;
  for (const Programme& programme : config.programmes) {
    const bool listed = std::ranges::any_of(
        config.works, [&](const Work& work) { return work.id == programme.work; });
    if (!listed) config.works.push_back({programme.work, programme.title, false});
  }
  KAPOK_TRY(unique_ids(config.enterprises, "enterprise", 4));
  KAPOK_TRY(unique_ids(config.works, "work", 8));
  KAPOK_TRY(unique_ids(config.programmes, "programme", 8));
  out.config_ = std::move(config);
  for (std::size_t i = 0; i < out.config_.programmes.size(); ++i) {
    const Programme& programme = out.config_.programmes[i];
    if (!is_valid_id(programme.channel))
      return fail(Errc::config, "programme {}: channel \"{}\" is not a valid name", programme.id,
                  programme.channel);
    if (out.enterprise(programme.enterprise) == nullptr)
      return fail(Errc::config, "programme {}: enterprise \"{}\" is not listed", programme.id,
                  programme.enterprise);
    if (start_of(programme) >= end_of(programme))
      return fail(Errc::config, "programme {}: ends before it starts", programme.id);
    out.by_channel_[programme.channel].push_back(i);
  }
  Ids channels("channel", 4);
  for (auto& [channel, indices] : out.by_channel_) {
    KAPOK_TRY(channels.add(channel));
    std::ranges::sort(indices, {},
                      [&](std::size_t i) { return start_of(out.config_.programmes[i]); });
    for (std::size_t i = 1; i < indices.size(); ++i) {
      const Programme& before = out.config_.programmes[indices[i - 1]];
      const Programme& after = out.config_.programmes[indices[i]];
      if (start_of(after) < end_of(before))
        return fail(Errc::config, "programmes {} and {} are on channel {} at the same time",
                    before.id, after.id, channel);
    }
  }
  return out;
}

const Programme* Catalogue::find(std::string_view channel, UtcTime at) const {
  const auto found = by_channel_.find(channel);
  if (found == by_channel_.end()) return nullptr;
  const std::vector<std::size_t>& indices = found->second;
  const auto after = std::ranges::upper_bound(
      indices, at, {}, [&](std::size_t i) { return start_of(config_.programmes[i]); });
  if (after == indices.begin()) return nullptr;
  const Programme& programme = config_.programmes[*std::prev(after)];
  return at < end_of(programme) ? &programme : nullptr;
}

std::vector<Catalogue::Piece> Catalogue::split(std::string_view channel, UtcTime from,
                                               UtcTime to) const {
  std::vector<Piece> pieces;
  const auto found = by_channel_.find(channel);
  if (found != by_channel_.end()) {
    const std::vector<std::size_t>& indices = found->second;
    auto at = std::ranges::upper_bound(
        indices, from, {}, [&](std::size_t i) { return start_of(config_.programmes[i]); });
    if (at != indices.begin()) --at;
    for (; at != indices.end() && from < to; ++at) {
      const Programme& programme = config_.programmes[*at];
      if (start_of(programme) >= to) break;
      if (end_of(programme) <= from) continue;
      if (start_of(programme) > from) {
        pieces.push_back({from, start_of(programme), nullptr});
        from = start_of(programme);
      }
      const UtcTime end = std::min(to, end_of(programme));
      pieces.push_back({from, end, &programme});
      from = end;
    }
  }
  if (from < to) pieces.push_back({from, to, nullptr});
  return pieces;
}

const Work* Catalogue::work(std::string_view id) const {
  const auto found = std::ranges::find(config_.works, id, &Work::id);
  return found == config_.works.end() ? nullptr : &*found;
}
const Enterprise* Catalogue::enterprise(std::string_view id) const {
  const auto found = std::ranges::find(config_.enterprises, id, &Enterprise::id);
  return found == config_.enterprises.end() ? nullptr : &*found;
}

std::string Catalogue::canonical_text() const {
  json::array enterprises;
  for (const Enterprise& enterprise : config_.enterprises)
    enterprises.push_back(json::object{{"id", enterprise.id},
                                       {"name", enterprise.name},
                                       {"kind", std::string(name_of(enterprise.kind))}});
  json::array works;
  for (const Work& work : config_.works)
    works.push_back(
        json::object{{"id", work.id}, {"title", work.title}, {"baseline", work.baseline}});
  json::array programmes;
  for (const Programme& programme : config_.programmes) {
    json::object entry{{"id", programme.id},        {"work", programme.work},
                       {"title", programme.title},  {"channel", programme.channel},
                       {"free", programme.free},    {"enterprise", programme.enterprise},
                       {"region", programme.region}};
    if (programme.from) entry["from_us"] = as_us(*programme.from);
    if (programme.to) entry["to_us"] = as_us(*programme.to);
    programmes.push_back(std::move(entry));
  }
  return rules::canonical_json(json::object{{"format", 1},
                                            {"enterprises", std::move(enterprises)},
                                            {"works", std::move(works)},
                                            {"programmes", std::move(programmes)}});
}

Digest256 Catalogue::hash() const {
  return sha256(as_bytes(canonical_text()));
}

Result<Catalogue> Catalogue::parse(std::string_view text) {
  const json::value value = KAPOK_TRY(rules::parse_json(text, kMaxCatalogueBytes));
  if (number_of(value, "format") != 1)
    return fail(Errc::unsupported, "catalogue text is of another format");
  CatalogueConfig config;
  for (const json::value& entry : KAPOK_TRY(list_of(value, "enterprises"))) {
    const std::string name = text_of(entry, "kind");
    const auto kind =
        std::ranges::find_if(kKinds, [&](EnterpriseKind each) { return name_of(each) == name; });
    if (kind == kKinds.end())
      return fail(Errc::malformed, "enterprise kind \"{}\" is not known", name);
    config.enterprises.push_back({text_of(entry, "id"), text_of(entry, "name"), *kind});
  }
  for (const json::value& entry : KAPOK_TRY(list_of(value, "works")))
    config.works.push_back(
        {text_of(entry, "id"), text_of(entry, "title"), flag_of(entry, "baseline")});
  for (const json::value& entry : KAPOK_TRY(list_of(value, "programmes"))) {
    Programme programme;
    programme.id = text_of(entry, "id");
    programme.work = text_of(entry, "work");
    programme.title = text_of(entry, "title");
    programme.channel = text_of(entry, "channel");
    programme.enterprise = text_of(entry, "enterprise");
    programme.from = time_of(entry, "from_us");
    programme.to = time_of(entry, "to_us");
    programme.free = flag_of(entry, "free");
    programme.region = static_cast<std::uint32_t>(number_of(entry, "region").value_or(0));
    config.programmes.push_back(std::move(programme));
  }
  return create(std::move(config));
}

std::string_view region_name(std::uint32_t code) {
  struct Region {
    std::uint32_t code;
    std::string_view name;
  };
  static constexpr std::array<Region, 22> kRegions{
      {{440000, "广东"}, {440100, "广州"}, {440200, "韶关"}, {440300, "深圳"}, {440400, "珠海"},
       {440500, "汕头"}, {440600, "佛山"}, {440700, "江门"}, {440800, "湛江"}, {440900, "茂名"},
       {441200, "肇庆"}, {441300, "惠州"}, {441400, "梅州"}, {441500, "汕尾"}, {441600, "河源"},
       {441700, "阳江"}, {441800, "清远"}, {441900, "东莞"}, {442000, "中山"}, {445100, "潮州"},
       {445200, "揭阳"}, {445300, "云浮"}}};
  for (const Region& region : kRegions)
    if (region.code == code) return region.name;
  return {};
}

std::int64_t content_position_ms(const Programme& programme, UtcTime at) {
  const UtcTime origin = programme.from.value_or(UtcTime());
  return std::chrono::floor<milliseconds>(at - origin).count();
}

}  // namespace kapok::catalogue
