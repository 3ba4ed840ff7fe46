// What the library remembers of an item between runs: what was asked for, and how far it came
// beside its segments. A JSON file, job.json, and the ladder as the wire has it. Blocking.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "server/picture/vod/import_folder.hpp"
#include "server/picture/vod/item_facts.hpp"

namespace kapok::vod {

struct ItemRecord {
  ItemRequest request;
  UtcTime created;
  ItemState state = ItemState::queued;
  std::string error;
  FileIdentity identity;        // of the file that was begun with
  std::string leading;          // the rendition by which the others are cut; empty: none yet
  std::string source_left_out;  // why publish_source was taken back
  // The ladder's rungs of each of the file's sounds; nothing before its tracks are known.
  std::optional<std::vector<media::AudioRung>> sounds;
};

Result<void> write_record(const std::filesystem::path& folder, const ItemRecord& record);
// Errors: malformed, io.
Result<ItemRecord> read_record(const std::filesystem::path& folder);
// Pure, for the two above and for fuzzing.
std::string record_text(const ItemRecord& record);
Result<ItemRecord> parse_record(std::string_view text);

}  // namespace kapok::vod
