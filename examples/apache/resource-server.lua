-- Asks the gateway about each request before Apache passes it on.

local http = require "socket.http"
local ltn12 = require "ltn12"

local GATEWAY = "http://127.0.0.1:4180/auth"
local OF_ONE_CONNECTION = { "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade" }
http.TIMEOUT = 5

-- Nobody but the gateway says who is calling, and nobody but this proxy what was asked for, in whatever spelling.
local function may_stay(name)
    local kind = name:match("^x%W(%a+)%W")
    return not (kind == "auth" or kind == "forwarded" or kind == "original" or kind == "rewrite")
end

-- What a client names in Connection is taken out of the request: that must not be who it is. And no
-- connection becomes one of HTTP/2, whose requests nobody judges.
local function of_its_own(connection)
    local kept = {}
    for word in connection:lower():gmatch("[^%s,]+") do
        if word == "close" or word == "keep-alive" or word == "upgrade" then table.insert(kept, word) end
    end
    return #kept > 0 and table.concat(kept, ", ") or nil
end

local function question(r)
    local headers = {}
    r.headers_in["Connection"] = of_its_own(r.headers_in["Connection"] or "")
    if (r.headers_in["Upgrade"] or ""):lower() ~= "websocket" then r.headers_in["Upgrade"] = nil end
    for name, value in pairs(r:headers_in_table()) do
        if may_stay(name:lower()) then
            headers[name:lower()] = value
        else
            r.headers_in[name] = nil
        end
    end
    headers["x-forwarded-method"] = r.method
    headers["x-forwarded-uri"] = r.unparsed_uri
    headers["x-forwarded-host"] = headers["host"]
    headers["x-forwarded-proto"] = r.is_https and "https" or "http"
    headers["x-forwarded-for"] = r.useragent_ip
    for _, name in ipairs(OF_ONE_CONNECTION) do headers[name] = nil end
    headers["connection"] = "close"
    return headers
end

local function let_in(r, headers)
    for name, value in pairs(headers) do
        if name:find("^x[-_]auth[-_]") or name == "authorization" then r.headers_in[name] = value end
    end
    return apache2.DECLINED
end

local function refuse(r, status, headers, body)
    for _, name in ipairs(OF_ONE_CONNECTION) do headers[name] = nil end
    for name, value in pairs(headers) do
        if name ~= "date" and name ~= "server" and name ~= "content-type" then r.err_headers_out[name] = value end
    end
    r.status = status
    r.content_type = headers["content-type"] or "text/plain"
    r.err_headers_out["content-length"] = tostring(#body)
    if r.method ~= "HEAD" then r:puts(body) end
    r:flush() -- before Apache reads what else the client sends
    return apache2.DONE
end

function check(r)
    local body = {}
    local came, status, headers = http.request{ url = GATEWAY, headers = question(r),
        redirect = false, sink = ltn12.sink.table(body) }
    if came and status == 200 and headers["x-auth-subject"] then return let_in(r, headers) end
    if came and status >= 400 then return refuse(r, status, headers, table.concat(body)) end
    return 503 -- no answer, or not the gateway's
end
