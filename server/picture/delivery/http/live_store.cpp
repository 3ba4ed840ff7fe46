#include "server/picture/delivery/http/live_store.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

#include "server/picture/packaging/image_window.hpp"
#include "server/picture/protocols/http/gzip.hpp"

namespace kapok::delivery {

using packaging::ChannelWindow;
using packaging::PlaylistForm;
using packaging::Presence;
using packaging::Rendered;
using packaging::RenditionWindow;

namespace {

// How late a held request may give up; nothing waits for less than a few seconds.
constexpr milliseconds kSweep{200};
// A thousand answers must not hold up the shard in one piece, and a turn for each would ask the
// kernel for news a thousand times.
constexpr std::size_t kResumedPerTurn = 16;

bool still_coming(const ChannelWindow& channel, const RenditionWindow& window, const Wish& wish) {
  switch (wish.what) {
    case Wish::What::playlist: {
      // "never" is held as well: an idle channel answers with its unchanged playlist after the
      // hold, not at once, or every player would ask again without a pause.
      const Presence presence = window.playlist_presence(wish.number, wish.part);
      return presence == Presence::coming || presence == Presence::never;
    }
    // Without a feed, what was hinted will not come: 404 at once.
    case Wish::What::part:
      return channel.live() && window.part_presence(wish.number) == Presence::coming;
    case Wish::What::segment:  // see there
      return window.segment_presence(wish.segment()) == Presence::coming;
    case Wish::What::growth: {
      const auto object = window.find_segment(wish.segment());
      return object && !object->complete && object->size <= wish.bytes;
    }
  }
  return false;
}

// The rendition that an event is about; empty: the whole channel.
std::string_view rendition_in(const packaging::WindowEvent& event) {
  return std::visit(
      [](const auto& what) -> std::string_view {
        if constexpr (requires { what.rendition; })
          return what.rendition;
        else if constexpr (requires { what.info; })
          return what.info.id;
        else
          return {};
      },
      event.what);
}

}  // namespace

struct LiveStore::Zipped {
  std::uint64_t generation = 0;
  Buffer text;  // keeps the generation's identity even where numbers restart
  std::optional<Buffer> gzipped;
};

struct LiveStore::Rendition {
  std::vector<Waiter*> waiters;
  Zipped full;
  Zipped delta;
};

struct LiveStore::Channel {
  explicit Channel(std::string name) : window(std::move(name)) {}
  ChannelWindow window;
  std::map<std::string, Rendition, std::less<>> renditions;
  Zipped multivariant;
  Zipped manifest;
  Zipped thumbnail_playlist;
  Zipped thumbnail_times;
  Zipped sheet_playlist;
  Zipped sheet_times;
};

LiveStore::LiveStore(boost::asio::any_io_executor shard, const Clock& clock)
    : shard_(std::move(shard)), clock_(clock), sweep_timer_(shard_) {}

LiveStore::~LiveStore() {
  assert(waiting_ == 0 && resumable_.empty() && "stop() and drain the connections first");
}

void LiveStore::apply(std::shared_ptr<const packaging::WindowEvent> event) {
  auto found = channels_.find(event->channel);
  if (found == channels_.end())
    found = channels_.emplace(event->channel, std::make_unique<Channel>(event->channel)).first;
  Channel& channel = *found->second;
  channel.window.apply(*event);
  const std::string_view name = rendition_in(*event);
  for (auto& [id, rendition] : channel.renditions)
    if (name.empty() || name == id) wake(channel.window, id, rendition);
}

const ChannelWindow* LiveStore::find(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &found->second->window;
}

const RenditionWindow* LiveStore::find(std::string_view channel, std::string_view rendition) const {
  const ChannelWindow* window = find(channel);
  return window == nullptr ? nullptr : window->find(rendition);
}

std::vector<std::string> LiveStore::channels() const {
  std::vector<std::string> names;
  for (const auto& [name, channel] : channels_) names.push_back(name);
  return names;
}

LiveStore::Channel* LiveStore::channel_of(std::string_view channel) {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : found->second.get();
}

LiveStore::Rendition* LiveStore::rendition_of(std::string_view channel,
                                              std::string_view rendition) {
  Channel* const known = channel_of(channel);
  if (known == nullptr || known->window.find(rendition) == nullptr) return nullptr;
  const auto found = known->renditions.find(rendition);
  if (found != known->renditions.end()) return &found->second;
  return &known->renditions[std::string(rendition)];
}

LiveStore::Text LiveStore::coded(const Rendered& rendered, Zipped& kept, Coding coding) {
  if (coding == Coding::identity) return {rendered.text, false};
  if (kept.generation != rendered.generation || kept.text.data() != rendered.text.data()) {
    kept.generation = rendered.generation;
    kept.text = rendered.text;
    kept.gzipped = http::gzip(rendered.text.bytes());
  }
  if (!kept.gzipped) return {rendered.text, false};
  return {*kept.gzipped, true};
}

std::optional<LiveStore::Text> LiveStore::multivariant(std::string_view channel, Coding coding) {
  Channel* const known = channel_of(channel);
  if (known == nullptr) return std::nullopt;
  const auto rendered = known->window.multivariant();
  if (!rendered) return std::nullopt;
  return coded(*rendered, known->multivariant, coding);
}

std::optional<LiveStore::Text> LiveStore::manifest(std::string_view channel, Coding coding) {
  Channel* const known = channel_of(channel);
  if (known == nullptr) return std::nullopt;
  const auto rendered = known->window.manifest();
  if (!rendered) return std::nullopt;
  return coded(*rendered, known->manifest, coding);
}

std::optional<LiveStore::Text> LiveStore::playlist(std::string_view channel,
                                                   std::string_view rendition, PlaylistForm form,
                                                   Coding coding) {
  Rendition* const known = rendition_of(channel, rendition);
  if (known == nullptr) return std::nullopt;
  const RenditionWindow* window = find(channel, rendition);
  if (window->segments_empty()) return std::nullopt;
  return coded(window->playlist(form), form == PlaylistForm::full ? known->full : known->delta,
               coding);
}

std::optional<LiveStore::Text> LiveStore::thumbnail_playlist(std::string_view channel,
                                                             Coding coding) {
  Channel* const known = channel_of(channel);
  if (known == nullptr) return std::nullopt;
  const auto rendered = known->window.images().playlist();
  if (!rendered) return std::nullopt;
  return coded(*rendered, known->thumbnail_playlist, coding);
}

std::optional<LiveStore::Text> LiveStore::thumbnail_times(std::string_view channel, Coding coding) {
  Channel* const known = channel_of(channel);
  if (known == nullptr) return std::nullopt;
  const auto rendered = known->window.images().webvtt();
  if (!rendered) return std::nullopt;
  return coded(*rendered, known->thumbnail_times, coding);
}

std::optional<LiveStore::Text> LiveStore::sheet_playlist(std::string_view channel, Coding coding) {
  Channel* const known = channel_of(channel);
  if (known == nullptr) return std::nullopt;
  const auto rendered = known->window.images().sheet_playlist();
  if (!rendered) return std::nullopt;
  return coded(*rendered, known->sheet_playlist, coding);
}

std::optional<LiveStore::Text> LiveStore::sheet_times(std::string_view channel, Coding coding) {
  Channel* const known = channel_of(channel);
  if (known == nullptr) return std::nullopt;
  const auto rendered = known->window.images().sheet_webvtt();
  if (!rendered) return std::nullopt;
  return coded(*rendered, known->sheet_times, coding);
}

bool LiveStore::is_coming(std::string_view channel, std::string_view rendition,
                          const Wish& wish) const {
  const ChannelWindow* known = find(channel);
  const RenditionWindow* window = known == nullptr ? nullptr : known->find(rendition);
  return !stopping_ && window != nullptr && still_coming(*known, *window, wish);
}

Task<> LiveStore::wait(Waiter& waiter, std::string_view channel, std::string_view rendition) {
  Rendition* const known = rendition_of(channel, rendition);
  const bool coming = known != nullptr && is_coming(channel, rendition, waiter.wish);
  // Not a coroutine itself: a held request costs the one frame that async_initiate makes.
  return boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void()>(
      [this, &waiter, known, coming](auto handler) {
        waiter.resume = std::move(handler);
        ++waiting_;
        if (!coming) return resume(waiter, stopping_ ? Woken::gave_up : Woken::answerable);
        known->waiters.push_back(&waiter);
        schedule_sweep();
      },
      boost::asio::use_awaitable);
}

void LiveStore::wake(const ChannelWindow& channel, std::string_view id, Rendition& rendition) {
  const RenditionWindow* window = channel.find(id);
  // Nearly all wait for the same: the last verdict is remembered.
  std::optional<Wish> judged;
  bool coming = false;
  std::erase_if(rendition.waiters, [&](Waiter* waiter) {
    if (judged != waiter->wish) {
      judged = waiter->wish;
      coming = window != nullptr && still_coming(channel, *window, waiter->wish);
    }
    if (!coming) resume(*waiter, Woken::answerable);
    return !coming;
  });
}

void LiveStore::resume(Waiter& waiter, Woken woken) {
  waiter.woken = woken;
  --waiting_;
  resumable_.push_back(std::move(waiter.resume));
  if (resuming_) return;
  resuming_ = true;
  boost::asio::post(shard_, [this] { resume_some(); });
}

void LiveStore::resume_some() {
  for (std::size_t i = 0; i < kResumedPerTurn && !resumable_.empty(); ++i) {
    auto resume = std::move(resumable_.front());
    resumable_.pop_front();
    resume();
  }
  resuming_ = !resumable_.empty();
  if (resuming_) boost::asio::post(shard_, [this] { resume_some(); });
}

void LiveStore::schedule_sweep() {
  if (sweep_scheduled_) return;
  sweep_scheduled_ = true;
  sweep_timer_.expires_after(kSweep);
  sweep_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;  // destroyed
    sweep_scheduled_ = false;
    sweep();
    if (waiting_ > 0) schedule_sweep();
  });
}

void LiveStore::sweep() {
  const MonoTime now = clock_.mono();
  for (auto& [name, channel] : channels_)
    for (auto& [id, rendition] : channel->renditions)
      std::erase_if(rendition.waiters, [&](Waiter* waiter) {
        const bool over = stopping_ || now >= waiter->give_up;
        if (over) resume(*waiter, Woken::gave_up);
        return over;
      });
}

void LiveStore::stop() {
  stopping_ = true;
  sweep();
  sweep_timer_.cancel();
}

}  // namespace kapok::delivery
