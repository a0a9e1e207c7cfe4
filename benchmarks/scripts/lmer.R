# lme4's REML fit of a table, as one line of JSON:
#   Rscript lmer.R CSV FORMULA CATEGORICAL,COLUMNS DERIVATIVES(yes|no) REPEATS PATIENCE
# Exits with status 3 where lme4 is not installed.

if (!suppressWarnings(requireNamespace("lme4", quietly = TRUE))) {
  message("R has no lme4")
  quit(status = 3)
}
suppressPackageStartupMessages(library(lme4))

arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
text <- arguments[2]
for (name in strsplit(arguments[3], ",", fixed = TRUE)[[1]]) {
  data[[name]] <- factor(data[[name]])
}
control <- lmerControl(calc.derivs = arguments[4] == "yes")
repeats <- as.integer(arguments[5])
patience <- as.numeric(arguments[6])

fit_once <- function() {
  suppressMessages(suppressWarnings(
    lmer(as.formula(text), data = data, REML = TRUE, control = control)
  ))
}
seconds_of <- function() {
  start <- Sys.time()
  fit <<- fit_once()
  as.numeric(Sys.time() - start, units = "secs")
}

fit <- NULL
first <- seconds_of()
warm <- numeric(0)
while (first < 5 * patience && length(warm) < repeats && sum(warm) < patience) {
  warm <- c(warm, seconds_of())
}

quoted <- function(x) encodeString(x, quote = "\"")
number <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")
listed <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")

components <- as.data.frame(VarCorr(fit))
components <- components[is.na(components$var2), ]
coefs <- ifelse(components$var1 == "(Intercept)", "Intercept", components$var1)
names <- ifelse(components$grp == "Residual", "Residual", paste(components$grp, coefs))
sds <- paste0(quoted(names), ": ", number(components$sdcor), collapse = ", ")

peak <- NA_real_
if (file.exists("/proc/self/status")) {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  if (length(line) == 1) peak <- as.numeric(gsub("[^0-9]", "", line)) / 2^20
}
note <- paste(unlist(fit@optinfo$conv$lme4$messages), collapse = "; ")
version <- paste0("lme4 ", packageVersion("lme4"), ", R ", getRversion())

cat("{",
  "\"version\": ", quoted(version),
  ", \"first_seconds\": ", number(first),
  ", \"seconds\": ", listed(warm),
  ", \"criterion\": ", number(-2 * as.numeric(logLik(fit, REML = TRUE))),
  ", \"fixef\": ", listed(unname(fixef(fit))),
  ", \"sd\": {", sds, "}",
  ", \"peak_gib\": ", number(peak),
  ", \"note\": ", quoted(note),
  "}\n",
  sep = ""
)
