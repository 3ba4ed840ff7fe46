#include "server/picture/vod/library.hpp"

#include <algorithm>

#include "server/base/ids.hpp"

namespace kapok::vod {

namespace fs = std::filesystem;

namespace {
// Of a folder whose item is gone, while its files go.
constexpr std::string_view kRemoved = ".removed";
}  // namespace

struct Library::Item {
  ItemRecord record;
  ItemFolder folder;
  std::unique_ptr<Job> job;  // while it is being made
  bool removed = false;
  boost::asio::steady_timer ended;  // cancelled when the job has ended
  // Of a finished one.
  std::vector<std::string> renditions;
  bool has_poster = false;
  nanoseconds duration{0};
  std::uint64_t segments = 0;
  ItemFacts last;  // what its last job came to

  Item(ItemRecord made, fs::path path, const boost::asio::any_io_executor& home)
      : record(std::move(made)),
        folder(std::move(path)),
        ended(home, boost::asio::steady_timer::time_point::max()) {}
};

Library::Library(LibraryOptions options, JobSettings settings, Shelf& shelf, Metrics& metrics)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      shelf_(shelf),
      made_(metrics.counter("kapok_vod_items_made_total", "Files made into ladders", {})),
      failed_(
          metrics.counter("kapok_vod_items_failed_total", "Files of which none could be made", {})),
      waiting_(metrics.gauge("kapok_vod_items_waiting", "Items being made or waiting for it", {})),
      tasks_(settings_.home) {}

Library::~Library() = default;

Result<void> Library::open() {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error)
    return fail(Errc::config, "the VOD folder {} cannot be made: {}; check data.dir and its owner",
                options_.folder.string(), error.message());
  std::vector<std::shared_ptr<Item>> unfinished;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    const std::string id = entry.path().filename().string();
    if (id.starts_with('.') && id.ends_with(kRemoved)) fs::remove_all(entry.path(), error);
    if (!is_valid_id(id) || !entry.is_directory(error)) continue;
    auto record = read_record(entry.path());
    if (!record || record->request.id != id) {
      settings_.log.error("vod.unreadable",
                          {{"folder", entry.path().string()},
                           {"why", record ? "it is another item's" : record.error().message},
                           {"remedy", "remove the folder, and ask for the item again"}});
      continue;
    }
    const auto item = std::make_shared<Item>(std::move(*record), entry.path(), settings_.home);
    auto opened = item->folder.open();
    if (opened && item->record.state == ItemState::done) opened = show(*item);
    if (!opened) {
      item->record.state = ItemState::failed;
      item->record.error = opened.error().message;
      settings_.log.error("vod.failed", {{"item", id}, {"why", item->record.error}});
    }
    if (item->record.state == ItemState::running) item->record.state = ItemState::queued;
    if (item->record.state == ItemState::queued) unfinished.push_back(item);
    items_.emplace(id, item);
  }
  std::ranges::sort(unfinished, {}, [](const auto& item) { return item->record.created; });
  queue_.assign(unfinished.begin(), unfinished.end());
  pump();
  return {};
}

Result<ItemFacts> Library::add(ItemRequest request) {
  if (closing_) return fail(Errc::closed, "the server is stopping");
  if (!is_valid_id(request.id)) return fail(Errc::malformed, "id: a-z, 0-9, _ and -");
  // Said at once, not by a job that fails later.
  auto file = KAPOK_TRY(open_import(settings_.import_folder, request.file));
  const auto known = items_.find(request.id);
  if (known != items_.end()) {
    Item& item = *known->second;
    const bool same = item.record.request.file == request.file &&
                      item.record.request.ladder == request.ladder &&
                      item.record.request.publish_source == request.publish_source;
    if (item.record.state != ItemState::failed || item.removed || item.job || !same)
      return fail(Errc::conflict,
                  "there is an item '{}' already: remove it first, or choose another id",
                  request.id);
    item.record.request.title = request.title;
    item.record.state = ItemState::queued;
    item.record.error.clear();
    KAPOK_TRY(write_record(folder_of(request.id), item.record));
    queue_.push_back(known->second);
    pump();
    return facts_of(item);
  }
  if (items_.size() >= kMaxItems) return fail(Errc::full, "the library holds {} items", kMaxItems);
  ItemRecord record;
  record.request = std::move(request);
  record.created = settings_.clock.utc();
  const std::string id = record.request.id;
  const auto item = std::make_shared<Item>(std::move(record), folder_of(id), settings_.home);
  KAPOK_TRY(item->folder.open());
  KAPOK_TRY(write_record(folder_of(id), item->record));
  settings_.log.info("vod.queued", {{"item", id}, {"file", item->record.request.file}});
  items_.emplace(id, item);
  queue_.push_back(item);
  pump();
  return facts_of(*item);
}

void Library::pump() {
  while (running_ < options_.jobs && !queue_.empty() && !closing_) {
    const auto item = queue_.front();
    queue_.pop_front();
    if (item->removed) continue;
    ++running_;
    tasks_.spawn(make(item));
  }
  waiting_.set(static_cast<double>(running_ + queue_.size()));
}

Task<> Library::make(std::shared_ptr<Item> item) {
  item->record.state = ItemState::running;
  save(*item);
  item->job = std::make_unique<Job>(settings_, item->record, item->folder,
                                    folder_of(item->record.request.id));
  auto made = co_await item->job->run();
  item->job->fill(item->last);
  item->job.reset();
  const Log log = settings_.log.with("item", item->record.request.id);
  if (made && !item->removed) {
    if (auto shown = show(*item); !shown) made = std::unexpected(std::move(shown).error());
  }
  if (made) {
    item->record.state = ItemState::done;
    made_.increment();
    log.info("vod.done", {{"segments", item->segments},
                          {"seconds", std::chrono::duration_cast<seconds>(item->duration).count()},
                          {"bytes", item->folder.bytes()}});
  } else if (made.error().code != Errc::closed) {
    item->record.state = ItemState::failed;
    item->record.error = made.error().message;
    failed_.increment();
    log.error("vod.failed", {{"why", made.error().message}});
  }
  // One that was cancelled by a stopping server goes on with the next.
  if (!item->removed) save(*item);
  --running_;
  item->ended.cancel();
  pump();
}

void Library::save(Item& item) {
  const auto saved = write_record(folder_of(item.record.request.id), item.record);
  if (!saved)
    settings_.log.error("vod.not_saved",
                        {{"item", item.record.request.id}, {"why", saved.error().message}});
}

Result<void> Library::show(Item& item) {
  auto closed = KAPOK_TRY(item.folder.closed(item.record.request.id));
  item.renditions.clear();
  item.segments = 0;
  for (const auto& rendition : closed.renditions) {
    item.renditions.push_back(rendition.info.id);
    item.segments = std::max<std::uint64_t>(item.segments, rendition.segments.size());
  }
  item.has_poster = closed.poster != nullptr;
  auto window = std::make_shared<const packaging::ClosedWindow>(std::move(closed));
  item.duration = window->duration();
  shelf_.put(item.record.request.id, std::move(window));
  return {};
}

ItemFacts Library::facts_of(const Item& item) const {
  ItemFacts facts;
  if (item.job)
    item.job->fill(facts);
  else
    facts = item.last;
  facts.id = item.record.request.id;
  facts.title = item.record.request.title;
  facts.file = item.record.request.file;
  facts.ladder = item.record.request.ladder.name;
  facts.state = item.record.state;
  facts.created = item.record.created;
  facts.error = item.record.error;
  facts.source_left_out = item.record.source_left_out;
  facts.bytes = item.folder.bytes();
  if (facts.state == ItemState::done) {
    facts.renditions = item.renditions;
    facts.has_poster = item.has_poster;
    facts.duration = facts.made = item.duration;
    facts.segments = item.segments;
    facts.left.reset();
  }
  return facts;
}

Result<ItemFacts> Library::find(const std::string& id) const {
  const auto found = items_.find(id);
  if (found == items_.end() || found->second->removed)
    return fail(Errc::not_found, "there is no item '{}'", id);
  return facts_of(*found->second);
}

std::vector<ItemFacts> Library::list() const {
  std::vector<ItemFacts> all;
  for (const auto& [id, item] : items_)
    if (!item->removed) all.push_back(facts_of(*item));
  std::ranges::sort(all, std::greater{}, &ItemFacts::created);
  return all;
}

Task<Result<void>> Library::remove(std::string id) {
  const auto found = items_.find(id);
  if (found == items_.end() || found->second->removed)
    co_return fail(Errc::not_found, "there is no item '{}'", id);
  const std::shared_ptr<Item> item = found->second;
  item->removed = true;
  shelf_.put(id, nullptr);
  if (item->job) item->job->cancel();
  while (item->job) {
    [[maybe_unused]] auto [error] = co_await item->ended.async_wait(kAsValue);
  }
  std::erase(queue_, item);
  items_.erase(id);
  // First out of the way: what a killed server leaves half removed is no item.
  std::error_code error;
  fs::path gone = options_.folder / ("." + id + std::string(kRemoved));
  fs::remove_all(gone, error);
  fs::rename(folder_of(id), gone, error);
  fs::remove_all(gone, error);
  settings_.log.info("vod.removed", {{"item", id}});
  if (error) co_return fail(Errc::io, "remove {}: {}", folder_of(id).string(), error.message());
  co_return Result<void>();
}

Task<> Library::close() {
  closing_ = true;
  for (const auto& [id, item] : items_)
    if (item->job) item->job->cancel();
  co_await tasks_.drain();
}

}  // namespace kapok::vod
