// SPDX-License-Identifier: Apache-2.0
#include "engine/chat_model.h"

namespace handeye {

Result<TokenizedPrompt> ChatModel::tokenize(const ChatRequest& /*request*/) { return Error{ErrorCode::Unsupported, "this model does not tell its tokens"}; }

} // namespace handeye
