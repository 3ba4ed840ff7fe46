#include "server/media/feed.hpp"

namespace kapok::media {

std::string_view name_of(FeedEnd end) {
  switch (end) {
    case FeedEnd::unpublished:
      return "unpublished";
    case FeedEnd::connection_lost:
      return "connection_lost";
    case FeedEnd::silent:
      return "silent";
    case FeedEnd::replaced:
      return "replaced";
    case FeedEnd::error:
      return "error";
  }
  return "unknown";
}

}  // namespace kapok::media
