# git repack -adf of a repository of 60 commits that change 10 of 100 files each.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
# shellcheck disable=SC2046 # names
unset $(git rev-parse --local-env-vars)
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
git init -q -b main repository
# Line n is in file n mod 100; commit c has changed each line whose n mod 60 is c, and put back those of the commit before.
words 72000 4 | awk '
    { line[NR] = $0 }
    END {
        for (commit = 0; commit < 60; commit++) {
            print "commit refs/heads/main\ncommitter t <t> " 946684800 + commit " +0000\ndata <<END\ncommit " commit "\nEND"
            for (file = 0; file < 100; file++) {
                if (commit && file % 20 != commit % 20 && file % 20 != (commit - 1) % 20)
                    continue
                print "M 100644 inline file" file ".txt\ndata <<END"
                for (n = file ? file : 100; n <= NR; n += 100)
                    print (n % 60 == commit ? "changed " commit " " : "") line[n]
                print "END"
            }
        }
    }' | git -C repository fast-import --quiet
cd repository || exit
phase run
under git repack -adfq --threads=1
