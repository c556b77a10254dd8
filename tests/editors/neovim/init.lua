--- The init.lua of the tests: the plugin, some keys, and what the tests look at.
---
--- `DIFFILL_TEST` in the environment is JSON: {plugin, options}. `when` tells the other side once a
--- condition holds, so that a test neither sleeps nor asks again and again.

local test = vim.json.decode(vim.env.DIFFILL_TEST)
vim.opt.runtimepath:prepend(test.plugin)
vim.o.swapfile = false
vim.o.more = false
_G.said = {}
vim.notify = function(text)
  table.insert(said, text)
end

require("diffill").setup(test.options)

--- What a server said of itself last.
local status = require("diffill.status")
local changed = status.changed
status.changed = function(new, client)
  _G.told = new
  changed(new, client)
end

for key, name in pairs({
  ["<C-l>"] = "accept",
  ["<C-f>"] = "accept-word",
  ["<C-g>l"] = "accept-line",
  ["<C-j>"] = "next",
  ["<C-k>"] = "previous",
  ["<C-g>d"] = "dismiss",
  ["<C-g>t"] = "trigger",
}) do
  vim.keymap.set("i", key, ("<Plug>(diffill-%s)"):format(name))
end
-- As `:help diffill-keys` has it.
vim.keymap.set("i", "<Tab>", function()
  if require("diffill").accept() then
    return ""
  elseif vim.snippet.active({ direction = 1 }) then
    return "<Cmd>lua vim.snippet.jump(1)<CR>"
  end
  return "<Tab>"
end, { expr = true, desc = "Diffill: take the suggestion" })

--- The suggestion as it is drawn: {row, col, position, lines, groups}, or nil. `groups` are the
--- chunks of all lines as text and highlight group.
function _G.ghost()
  for name, namespace in pairs(vim.api.nvim_get_namespaces()) do
    if name == "diffill.ghost" or name == "nvim.lsp.inline_completion" then
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
        local details, lines, groups = mark[4], {}, {}
        for _, line in ipairs(vim.list_extend({ details.virt_text or {} }, details.virt_lines or {})) do
          lines[#lines + 1] = table.concat(vim.iter(line):map(function(chunk)
            groups[#groups + 1] = { chunk[1], chunk[2] }
            return chunk[1]
          end):totable())
        end
        return { row = mark[2], col = mark[3], at = details.virt_text_pos, lines = lines, groups = groups }
      end
    end
  end
end

--- The drafts as they are drawn in a buffer: {row, col, at, lines} of every text, {row, col,
--- end_row, end_col} of what it would replace.
function _G.drafts(buf)
  local texts, replaced = {}, {}
  local namespace = vim.api.nvim_create_namespace("diffill.drafts")
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf or 0, namespace, 0, -1, { details = true })) do
    local details, lines = mark[4], {}
    if details.hl_group then
      table.insert(replaced, { mark[2], mark[3], details.end_row, details.end_col })
    else
      for _, line in ipairs(vim.list_extend({ details.virt_text }, details.virt_lines or {})) do
        assert(#line == 1 and line[1][2] == "DiffillDraft")
        table.insert(lines, line[1][1])
      end
      local at = details.virt_text and details.virt_text_pos or "below"
      table.insert(texts, { row = mark[2], col = mark[3], at = at, lines = lines })
    end
  end
  return { texts = texts, replaced = replaced }
end

function _G.drafted(text)
  return vim.iter(drafts().texts):any(function(draft)
    return table.concat(draft.lines, "\n") == text
  end)
end

function _G.shown(text)
  local found = ghost()
  return found ~= nil and table.concat(found.lines, "\n") == text
end

function _G.heard(text)
  return vim.iter(said):any(function(one)
    return one:find(text, 1, true) ~= nil
  end)
end

--- The text of the window on top, if it is one of the plugin's.
function _G.window()
  local name = vim.api.nvim_buf_get_name(0)
  return vim.startswith(name, "diffill://") and table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\n") or nil
end

function _G.client()
  return vim.lsp.get_clients({ name = "diffill" })[1]
end

--- Tell `channel` with `name` when `condition` holds, or at the latest after so many milliseconds.
function _G.when(channel, name, condition, limit_ms)
  local holds, timer = assert(loadstring(condition)), assert(vim.uv.new_timer())
  local start = vim.uv.now()
  timer:start(
    0,
    5,
    vim.schedule_wrap(function()
      if timer:is_closing() then
        return
      end
      local ran, result = pcall(holds)
      if ran and result or vim.uv.now() - start > limit_ms then
        timer:close()
        vim.rpcnotify(channel, name, ran and result and true or false, ran and "" or tostring(result))
      end
    end)
  )
end
