-- Asks the gateway about each request before HAProxy passes it on: `http-request lua.resource-server /auth`.

local GATEWAY = "http://127.0.0.1:4180"
local MILLISECONDS = 5000
local OF_ONE_CONNECTION = { "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade" }

-- Lists of HAProxy begin with 0 where it gives them, and with 1 where it takes them.
local function lists(headers)
    local found = {}
    for name, values in pairs(headers) do
        found[name] = {}
        for index = 0, #values do table.insert(found[name], values[index]) end
    end
    return found
end

local function question(txn)
    local headers = lists(txn.http:req_get_headers())
    headers["x-forwarded-method"] = { txn.sf:method() }
    headers["x-forwarded-uri"] = { txn.sf:pathq() }
    headers["x-forwarded-host"] = headers["host"]
    headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
    headers["x-forwarded-for"] = { txn.sf:src() }
    for _, name in ipairs(OF_ONE_CONNECTION) do headers[name] = nil end
    return headers
end

local function let_in(txn, headers)
    for name, values in pairs(headers) do
        if name:find("^x[-_]auth[-_]") or name == "authorization" then
            txn.http:req_set_header(name, values[1])
        end
    end
    txn:set_var("txn.let_in", "yes")
end

local function refuse(txn, answer, headers)
    for _, name in ipairs(OF_ONE_CONNECTION) do headers[name] = nil end
    txn:done(txn:reply{ status = answer.status, headers = headers, body = answer.body })
end

local function ask(txn, endpoint)
    local url = GATEWAY .. endpoint
    local answer = core.httpclient():get{ url = url, headers = question(txn), timeout = MILLISECONDS }
    local headers = lists(answer.headers or {})
    if answer.status == 200 and headers["x-auth-subject"] then
        let_in(txn, headers)
    elseif answer.status and answer.status >= 400 then
        refuse(txn, answer, headers)
    end
end

core.register_action("resource-server", { "http-req" }, ask, 1)
