// Binds a channel to the packager.
#pragma once

#include <memory>

#include "server/picture/channel/rendering.hpp"

namespace kapok::channel {

std::unique_ptr<Rendering> make_packager_rendering(packaging::PackagerOptions options,
                                                   packaging::PackagerServices services);

}  // namespace kapok::channel
