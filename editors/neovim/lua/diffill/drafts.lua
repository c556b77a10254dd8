--- Drafts: what the model has unmasked of a request so far, as virtual text until the answer.
---
--- A draft is the value of `$/progress` under the request's token (docs/lsp-extensions.md) and
--- takes the place of the one before. Invariants: a draft never edits the text nor its undo
--- history; no mark is left after the result, an error, a cancel, a change of the text or the end
--- of the server; a buffer shows the drafts of its newest request only.

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

---@class diffill.Drafting
---@field token string
---@field client integer?
---@field request integer?
---@field elsewhere? fun(draft: diffill.Draft?): boolean

local drafting = {} ---@type table<integer, diffill.Drafting> by buffer
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
---@param buf integer
---@param one diffill.Drafting
local function finish(buf, one)
  if drafting[buf] ~= one then
    return
  end
  drafting[buf] = nil
  clear(buf)
  if one.elsewhere then
    one.elsewhere(nil)
  end
end

--- Ask as `client.ask` does, and show the drafts until the answer. `elsewhere` may show a draft in
--- another place, and then returns true; it hears nil when there is none any more, at times while
--- no text may be changed.
---@param buf integer
---@param method string
---@param params table
---@param callback fun(result: any, client: vim.lsp.Client)
---@param elsewhere? fun(draft: diffill.Draft?): boolean
function M.ask(buf, method, params, callback, elsewhere)
  if not options.current.drafts then
    client_of.ask(buf, method, params, callback)
    return
  end
  asked = asked + 1
  local one = { token = TOKEN .. asked, elsewhere = elsewhere }
  if drafting[buf] then
    finish(buf, drafting[buf])
  end
  drafting[buf] = one
  local function over()
    finish(buf, one)
    return true -- listens no longer
  end
  api.nvim_buf_attach(buf, false, { on_lines = over, on_reload = over, on_detach = over })
  params.partialResultToken = one.token
  one.client, one.request = client_of.ask(buf, method, params, function(result, client)
    over()
    callback(result, client)
  end)
  if not one.request then
    over()
  end
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
local group = api.nvim_create_augroup("diffill.drafts", {})
api.nvim_create_autocmd({ "LspRequest", "LspDetach" }, {
  group = group,
  callback = function(event)
    local one, data = drafting[event.buf], event.data
    if not one or one.client ~= data.client_id then
      return
    end
    if event.event == "LspDetach" or (one.request == data.request_id and data.request.type ~= "pending") then
      finish(event.buf, one)
    end
  end,
})

return M
