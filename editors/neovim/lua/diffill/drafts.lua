--- Requests for rewrites and fills, and their drafts: what the model has unmasked so far, as virtual
--- text until the answer.
---
--- A draft is the value of `$/progress` under the request's token (docs/lsp-extensions.md) and
--- takes the place of the one before. Invariants: a draft never edits the text nor its undo
--- history; no mark is left after the result, an error, a cancel, a change of the text or the end
--- of the server; a buffer shows the drafts of its newest request only; of a request that was
--- cancelled, by a person or by a newer one of its kind, nothing more is heard.

local client_of = require("diffill.client")
local edit = require("diffill.edit")
local options = require("diffill.options")
local place = require("diffill.place")
local tabs = require("diffill.tabs")

local M = {}
local api = vim.api
local namespace = api.nvim_create_namespace("diffill.drafts")
local TOKEN = "diffill-draft-"
local OPEN, NOT_YET = "▒", "…" -- as in VS Code

---@class diffill.Draft
---@field ranges lsp.Range[]
---@field texts (string|integer)[][] of each range: text, and numbers of open slots
---@field done number

---@class diffill.Asked
---@field buf integer
---@field method string
---@field under_way boolean
---@field dropped boolean whether nobody wants its answer any more
---@field token string
---@field client integer?
---@field request integer?
---@field elsewhere? fun(draft: diffill.Draft?): boolean

local under_way = {} ---@type table<diffill.Asked, boolean>
local drafting = {} ---@type table<integer, diffill.Asked> whose drafts are shown, by buffer
local asked = 0

--- What a range would hold, with a sign for every open slot, or for a hole whose turn has not come.
---@param pieces (string|integer)[]
---@return string
function M.text(pieces)
  return edit.text(table.concat(vim.tbl_map(function(piece)
    return type(piece) == "string" and piece or piece == 0 and NOT_YET or OPEN:rep(piece)
  end, pieces)))
end

--- A text after its range; below it, if the range has several lines.
---@param buf integer
---@param range diffill.Range
---@param text string
local function mark(buf, range, text)
  if range[3] > range[1] or range[4] > range[2] then
    api.nvim_buf_set_extmark(buf, namespace, range[1], range[2], {
      end_row = range[3],
      end_col = range[4],
      hl_group = "DiffillReplaced",
    })
  end
  local function width(row, col)
    return vim.fn.strdisplaywidth(tabs.spaced(api.nvim_buf_get_text(buf, row, 0, row, col, {})[1], 0, buf))
  end
  local below = range[3] > range[1]
  local column = below and width(range[1], range[2]) or width(range[3], range[4])
  local lines = {}
  for number, line in ipairs(vim.split(text, "\n", { plain = true })) do
    line = tabs.spaced(line, number == 1 and column or 0, buf)
    lines[number] = { { number == 1 and below and (" "):rep(column) .. line or line, "DiffillDraft" } }
  end
  api.nvim_buf_set_extmark(buf, namespace, range[3], range[4], {
    virt_text = not below and table.remove(lines, 1) or nil,
    virt_text_pos = "inline",
    virt_lines = lines,
    hl_mode = "combine",
  })
end

---@param buf integer
local function clear(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- No draft of this request is shown from now on.
---@param one diffill.Asked
local function hide(one)
  if drafting[one.buf] ~= one then
    return
  end
  drafting[one.buf] = nil
  clear(one.buf)
  if one.elsewhere then
    one.elsewhere(nil)
  end
end

--- The request has ended.
---@param one diffill.Asked
local function finish(one)
  one.under_way, under_way[one] = false, nil
  hide(one)
end

--- End a request that may be under way.
---@param one diffill.Asked?
function M.cancel(one)
  if not one or not one.under_way then
    return
  end
  one.dropped = true
  finish(one)
  local client = one.client and vim.lsp.get_client_by_id(one.client)
  if client and one.request then
    client:cancel_request(one.request)
  end
end

--- End all that is under way, in whatever buffer.
---@return boolean whether there was something
function M.cancel_all()
  local all = vim.tbl_keys(under_way)
  vim.iter(all):each(M.cancel)
  return #all > 0
end

--- Show the drafts of a request in its buffer.
---@param one diffill.Asked
local function watch(one)
  if drafting[one.buf] then
    hide(drafting[one.buf])
  end
  drafting[one.buf] = one
  local function over()
    hide(one)
    return true -- listens no longer
  end
  api.nvim_buf_attach(one.buf, false, { on_lines = over, on_reload = over, on_detach = over })
end

--- Ask as `client.ask` does, and show the drafts until the answer. `elsewhere` may show a draft in
--- another place, and then returns true; it hears nil when there is none any more, at times while
--- no text may be changed.
---@param buf integer
---@param method string
---@param params table
---@param callback fun(result: any, client: vim.lsp.Client)
---@param elsewhere? fun(draft: diffill.Draft?): boolean
---@return diffill.Asked
function M.ask(buf, method, params, callback, elsewhere)
  for _, older in ipairs(vim.tbl_keys(under_way)) do
    if older.buf == buf and older.method == method then
      M.cancel(older)
    end
  end
  asked = asked + 1
  local one = {
    buf = buf,
    method = method,
    under_way = true,
    dropped = false,
    token = TOKEN .. asked,
    elsewhere = elsewhere,
  }
  under_way[one] = true
  if options.current.drafts then
    watch(one)
    params.partialResultToken = one.token
  end
  one.client, one.request = client_of.ask(buf, method, params, function(result, client)
    if not one.dropped then
      finish(one)
      callback(result, client)
    end
  end)
  if not one.request then
    finish(one)
  end
  return one
end

--- Take a `$/progress`; false if it is none of ours.
---@param params lsp.ProgressParams
---@param client vim.lsp.Client
---@return boolean
function M.take(params, client)
  if type(params.token) ~= "string" or not vim.startswith(params.token, TOKEN) then
    return false
  end
  for buf, one in pairs(drafting) do
    if one.token == params.token then
      local draft = params.value
      clear(buf)
      if not (one.elsewhere and one.elsewhere(draft)) then
        for index, range in ipairs(draft.ranges) do
          mark(buf, place.from_lsp(buf, range, client.offset_encoding), M.text(draft.texts[index]))
        end
      end
    end
  end
  return true
end

-- A cancel and an error have no callback, and neither has a server that ends.
api.nvim_create_autocmd({ "LspRequest", "LspDetach" }, {
  group = api.nvim_create_augroup("diffill.drafts", {}),
  callback = function(event)
    local data, left = event.data, event.event == "LspDetach"
    for _, one in ipairs(vim.tbl_keys(under_way)) do
      local ended = left and one.buf == event.buf or not left and one.request == data.request_id
      if one.client == data.client_id and ended and (left or data.request.type ~= "pending") then
        finish(one)
      end
    end
  end,
})

return M
