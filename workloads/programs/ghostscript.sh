# ghostscript: a PDF of 240 pages of text and lines made, and drawn at 72 dpi.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset GS_OPTIONS GS_LIB GS_FONTPATH
words 12000 8 | awk 'BEGIN { print "%!PS\n/Times-Roman findfont 9 scalefont setfont" }
    { line = NR % 50; printf "40 %d moveto (%s) show\n", 760 - 14 * line, $0
      printf "newpath %d %d moveto %d %d lineto stroke\n", NR % 500, line * 14, (NR * 7) % 500, 700 - line * 11
      if (line == 0) print "showpage" }' > text.ps
gs -q -dNOPAUSE -dBATCH -dSAFER -sDEVICE=pdfwrite -sOutputFile=text.pdf text.ps
phase run
under gs -q -dNOPAUSE -dBATCH -dSAFER -sDEVICE=pgmraw -r72 -sOutputFile='page-%03d.pgm' text.pdf
