# Completion of `tidemark` in fish: hands the words to `tidemark --complete` and offers what it prints, which is in fish's own form.
# Leaves out every name: the program knows them.

function __tidemark_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # An open quote is no part of the word.
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    $program --complete $words[2..-1] (string replace -r '^[\'"]' '' -- "$current") 2>/dev/null
end

complete -c tidemark -f -a '(__tidemark_words)'
