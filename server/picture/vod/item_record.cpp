#include "server/picture/vod/item_record.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"
#include "server/picture/packaging/disk_file.hpp"
#include "server/picture/wire/reader.hpp"
#include "server/picture/wire/writer.hpp"

namespace kapok::vod {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxRecordBytes = 256 * 1024;
constexpr std::string_view kName = "job.json";
constexpr std::string_view kStates[] = {"queued", "running", "done", "failed"};

Result<std::string> text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string())
    return fail(Errc::malformed, "{} is missing or no text", name);
  return std::string(value->get_string());
}

Result<std::int64_t> number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_int64())
    return fail(Errc::malformed, "{} is missing or no number", name);
  return value->get_int64();
}

Result<std::string> ladder_text(const media::Ladder& ladder) {
  const auto encoded = KAPOK_TRY(wire::encode(wire::ToWorker(ladder)));
  return to_hex(encoded.head.bytes());
}

Result<media::Ladder> read_ladder(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() < wire::kHeaderBytes)
    return fail(Errc::malformed, "ladder_bytes is no ladder");
  const Buffer whole(std::move(*bytes));
  auto message =
      KAPOK_TRY(wire::decode_to_worker({wire::Type::ladder, whole.slice(wire::kHeaderBytes)}));
  return std::get<media::Ladder>(std::move(message));
}

// As a ladder of sounds alone; empty: of none.
std::string sounds_text(const std::vector<media::AudioRung>& sounds) {
  if (sounds.empty()) return {};
  media::Ladder ladder;
  ladder.name = "sounds";
  ladder.audio = sounds;
  return ladder_text(ladder).value_or("");
}

Result<std::optional<std::vector<media::AudioRung>>> read_sounds(const json::object& object) {
  if (!object.contains("sounds_bytes")) return std::nullopt;
  const std::string text = KAPOK_TRY(text_of(object, "sounds_bytes"));
  if (text.empty()) return std::vector<media::AudioRung>();
  return KAPOK_TRY(read_ladder(text)).audio;
}

}  // namespace

std::string_view name_of(ItemState state) {
  return kStates[static_cast<std::size_t>(state)];
}

std::string record_text(const ItemRecord& record) {
  json::object out;
  out["version"] = 1;
  out["id"] = record.request.id;
  out["title"] = record.request.title;
  out["file"] = record.request.file;
  out["publish_source"] = record.request.publish_source;
  out["ladder"] = record.request.ladder.name;
  // Exactly as it was asked for: a preset may change between two runs, an item may not.
  out["ladder_bytes"] = ladder_text(record.request.ladder).value_or("");
  out["created_us"] = record.created.time_since_epoch().count();
  out["state"] = name_of(record.state);
  out["error"] = record.error;
  out["file_bytes"] = static_cast<std::int64_t>(record.identity.size);
  out["file_modified_ns"] = record.identity.modified_ns;
  out["leading"] = record.leading;
  out["source_left_out"] = record.source_left_out;
  if (record.sounds) out["sounds_bytes"] = sounds_text(*record.sounds);
  return json::serialize(out) + "\n";
}

Result<ItemRecord> parse_record(std::string_view text) {
  boost::system::error_code bad;
  const json::value whole = json::parse(text, bad);
  const json::object* object = bad ? nullptr : whole.if_object();
  if (object == nullptr) return fail(Errc::malformed, "no JSON object");
  if (KAPOK_TRY(number_of(*object, "version")) != 1)
    return fail(Errc::malformed, "written by another version");
  ItemRecord record;
  record.request.id = KAPOK_TRY(text_of(*object, "id"));
  if (!is_valid_id(record.request.id)) return fail(Errc::malformed, "id is none");
  record.request.title = KAPOK_TRY(text_of(*object, "title"));
  record.request.file = KAPOK_TRY(text_of(*object, "file"));
  KAPOK_TRY(check_import_path(record.request.file));
  const json::value* publish = object->if_contains("publish_source");
  record.request.publish_source = publish == nullptr || !publish->is_bool() || publish->get_bool();
  const std::string ladder = KAPOK_TRY(text_of(*object, "ladder_bytes"));
  record.request.ladder = KAPOK_TRY(read_ladder(ladder));
  record.created = UtcTime(microseconds(KAPOK_TRY(number_of(*object, "created_us"))));
  const std::string state = KAPOK_TRY(text_of(*object, "state"));
  bool known = false;
  for (std::size_t i = 0; i < std::size(kStates); ++i)
    if (kStates[i] == state) {
      record.state = static_cast<ItemState>(i);
      known = true;
    }
  if (!known) return fail(Errc::malformed, "state is none");
  record.error = KAPOK_TRY(text_of(*object, "error"));
  record.identity.size = static_cast<std::uint64_t>(KAPOK_TRY(number_of(*object, "file_bytes")));
  record.identity.modified_ns = KAPOK_TRY(number_of(*object, "file_modified_ns"));
  record.leading = KAPOK_TRY(text_of(*object, "leading"));
  record.source_left_out = KAPOK_TRY(text_of(*object, "source_left_out"));
  record.sounds = KAPOK_TRY(read_sounds(*object));
  return record;
}

Result<void> write_record(const std::filesystem::path& folder, const ItemRecord& record) {
  KAPOK_TRY(packaging::replace_file_synced(folder / kName, as_bytes(record_text(record))));
  return {};
}

Result<ItemRecord> read_record(const std::filesystem::path& folder) {
  const Bytes bytes = KAPOK_TRY(packaging::read_file(folder / kName, kMaxRecordBytes));
  return parse_record(as_text(bytes));
}

}  // namespace kapok::vod
