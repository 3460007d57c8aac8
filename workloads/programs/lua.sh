# lua: tables and strings made, joined and dropped, three times.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4
phase run
under lua5.4 -e '
for round = 1, 3 do
    local t = {}
    for i = 1, 400000 do t[i] = { id = i, name = "n" .. i, next = t[i - 1] } end
    local s = {}
    for i = 1, #t, 3 do s[#s + 1] = t[i].name end
    local joined = table.concat(s, ",")
    assert(#joined > 1000)
    t, s, joined = nil, nil, nil
    collectgarbage()
end'
