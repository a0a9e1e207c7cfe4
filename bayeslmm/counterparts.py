"""What functions and methods of other packages are called here.

Of lme4, nlme, lmerTest, glmmTMB, brms, rstanarm, emmeans, marginaleffects, performance, statsmodels
and Bambi. Names are compared without case, dots and underscores. An answer names only what there
is: `bl` is the package, `model` a Model, `fit` a Fit.
"""

from __future__ import annotations

from collections.abc import Iterable

from bayeslmm.errors import suggestion

_LINEAR = "bl.Model(formula, data) and model.fit('reml'), or model.fit('ml')"
_GENERAL = "bl.Model(formula, data, family='binomial') and model.fit()"
_BAYES = "bl.Model(formula, data) and model.fit(), by 'exact' where it is available, else 'nuts'"
_INTERVALS = "the columns lower and upper of fit.fixef(), fit.varcorr() and fit.ranef()"
_FIXED = "fit.fixef()"
_RANDOM = "fit.ranef(); each level's own coefficients are fit.coef()"
_VARIANCES = "fit.varcorr(), as standard deviations and correlations"
_MEANS = "fit.predict(new) at the rows of interest, or fit.contrast({'x': 1}) of coefficients"
_PREDICTED = "fit.predict(new, kind='mean'), the expected response"
_LINEAR_PREDICTOR = "fit.predict(new, kind='link'), the linear predictor"
_NEW_OBSERVATION = "fit.predict(new, kind='response'), a new observation with its residual"
_CHECKED = "fit.predict(kind='response'), or pm.sample_posterior_predictive(fit.tree) in PyMC"
_TESTED = "fit.contrast({'x': 1}, against=0)"
_RATIO = "computed from the variances: squares of the sd rows of fit.varcorr()"
_LOO = "az.loo(fit.tree) after pm.compute_log_likelihood(fit.tree) inside model.to_pymc()"
_NESTED = "bl.deviance_table, of fits by 'ml'"
_DRAWS = "fit.tree, an ArviZ DataTree; single effects by fit.draw_ranef(group)"
_LEFT = "the response less fit.predict()['estimate']; leverages are fit.leverage()"
_PRIORS = "model.priors; other ones are given as bl.Model(..., priors={'sd': 'exponential(1)'})"
_CODE = "model.to_pymc()"
_SIMULATED = "model.simulate(parameters), and bl.Model(formula, simulated data) for each refit"
_AGAIN = "bl.Model(formula, data), with the changed formula or response, and model.fit()"
_DESIGN = "print(model), which lists the columns; their estimates are fit.fixef() and fit.ranef()"
_OPTIMISER = "fit.converged and fit.path, the iterations; there is one optimiser"
_SMOOTH = "bl.Model('y ~ bs(x, df=4) + (1 | g)', data); penalised smooths are not available"
_CHOSEN = "bl.compare_fits({'A': fit, ...})"
_ROWS = "bl.new_data(model, table), for pm.set_data"

#: Each answer, and the names that have it.
_TABLE: tuple[tuple[str, str], ...] = (
    (_LINEAR, "lmer lme mixedlm lm ols gls lmm"),
    (_GENERAL, "glmer glmer_nb glmmTMB glmm glm glmmPQL"),
    (_SMOOTH, "gam bam gamm gamm4"),
    (_BAYES, "brm brms bambi stan_lmer stan_glmer stan_glm rstanarm ulam mcmcglmm inla sample"),
    ("not available: bl.Model takes linear predictors", "nlmer nlme nls"),
    ("bl.Model(formula, data, priors=...)", "blmer"),
    (_INTERVALS, "confint conf_int ci credible_interval posterior_interval hdi intervals bci"),
    (
        _FIXED,
        "fixed_effects fe_params params coefficients coefs bse tidy model_parameters "
        "parameters standard_error se_fixef beta fixed_effect",
    ),
    (
        _RANDOM,
        "random_effects ranefs blup blups random_effect se_ranef random_effects_cov cond_var",
    ),
    (_VARIANCES, "var_corr varcomp vcomp cov_re variance_components get_variance re_cov"),
    (
        _MEANS,
        "emmeans emtrends lsmeans marginal_means ref_grid emmip estimate_means estimate_slopes",
    ),
    (
        "fit.predict(new); bl.plot_fitted(fit) draws each level's line",
        "conditional_effects marginal_effects conditional_smooths ggpredict ggeffects "
        "plot_predictions plot_cap predictions comparisons slopes avg_slopes "
        "avg_comparisons plot_slopes plot_comparisons interpret",
    ),
    (
        _PREDICTED,
        "posterior_epred fitted fitted_values fittedvalues predicted get_prediction "
        "add_epred_draws augment pp_expect",
    ),
    (_LINEAR_PREDICTOR, "posterior_linpred add_linpred_draws linear_predictor"),
    (
        _NEW_OBSERVATION,
        "posterior_predict predict_interval prediction_interval predictive_interval "
        "add_predicted_draws forecast",
    ),
    (
        _CHECKED,
        "pp_check ppc posterior_predictive posterior_predictive_check check_predictions "
        "plot_ppc ppc_plot",
    ),
    (
        _TESTED,
        "hypothesis glht t_test wald_test f_test pvalues p_values p_value tvalues "
        "linear_hypothesis contest lmertest wald",
    ),
    (
        _RATIO,
        "icc r2 rsquared r2_nakagawa r2_bayes bayes_r2 r_squaredglmm heritability "
        "variance_decomposition",
    ),
    (_LOO, "loo waic kfold loo_compare compute_log_likelihood psis"),
    (
        _NESTED,
        "anova lrt lrtest drop1 ranova rand likelihood_ratio_test pbmodcomp krmodcomp exactlrt",
    ),
    (
        "the difference of two values of fit.log_evidence ('exact')",
        "bridge_sampler bayes_factor marginal_likelihood evidence post_prob",
    ),
    (
        _DRAWS,
        "as_draws as_draws_df posterior_samples as_data_frame idata inference_data "
        "posterior trace extract samples spread_draws gather_draws mcmc",
    ),
    (
        _LEFT,
        "residuals resid rstandard rstudent hatvalues influence cooks_distance hat_values "
        "check_model check",
    ),
    (_PRIORS, "get_prior default_prior prior_summary prior set_prior set_priors plot_priors"),
    (_CODE, "make_stancode stancode standata make_standata build backend pymc_model pymc"),
    (_SIMULATED, "boot_mer bootstrap simulate_responses parametric_bootstrap"),
    (_AGAIN, "update refit refit_ml"),
    (_OPTIMISER, "all_fit lmer_control glmer_control lme_control optimizer"),
    (
        "the column no_pooling of bl.shrinkage(fit.model, fit)",
        "lm_list nls_list no_pooling",
    ),
    (_DESIGN, "getme model_matrix design_matrix exog exog_re x z lambda model_frame theta"),
    (_CHOSEN, "step compare compare_performance modelsummary compare_models compare_parameters"),
    (_ROWS, "pymc_data set_data"),
    ("fit.loglik", "log_lik llf log_likelihood"),
    ("fit.singular", "is_singular check_singularity"),
    (
        "fit.nobs; the design's sizes are in print(model)",
        "n_obs df_residual df_resid n_groups ngrps",
    ),
    ("fit.sigma, a standard deviation", "scale resid_sd residual_sd"),
    ("fit.vcov()", "cov_params normalized_cov_params"),
    ("bl.plot_ranef(fit)", "dotplot caterpillar plot_random sjplot plot_model qqmath"),
    ("bl.plot_fitted(fit) and bl.plot_ranef(fit)", "plot plot_fit plot_lines"),
    ("az.plot_trace(fit.tree)", "plot_trace mcmc_trace traceplot mcmc_plot"),
    (
        "az.summary(fit.tree); fit.summary() names what needs attention",
        "rhat neff ess neff_ratio nuts_params mcmc_diagnostics",
    ),
    ("bl.calibrate(model)", "sbc simulation_based_calibration"),
    ("model.prior_predictive()", "prior_predict sample_prior_predictive prior_predictive_check"),
    ("bl.load_fit(path)", "read_rds load open_fit"),
    ("fit.summary()", "results glance"),
    (
        "bl.relationship(matrix), in bl.Model(..., relationship={'animal': ...})",
        "ag_covariance pedigree kinship",
    ),
)


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c not in "._-")


_BY_PLAIN = {_plain(name): answer for answer, names in _TABLE for name in names.split()}


def answers() -> dict[str, str]:
    """Every name, as it is compared, with its answer."""
    return dict(_BY_PLAIN)


def no_attribute(owner: str, name: str, known: Iterable[str], others: dict[str, str]) -> str:
    """The message of an AttributeError for `name` on `owner`.

    Parameters
    ----------
    owner : str
        ``"module 'bayeslmm'"``, ``"'Fit' object"``.
    name : str
    known : iterable of str
        The owner's own names.
    others : dict of str to str
        Names that belong to another of `bl`, `model` and `fit`, with where: ``fit.fixef``.
    """
    text = f"{owner} has no attribute {name!r}"
    by_plain = {_plain(k): k for k in known}
    near = _plain(name)
    if near in by_plain:
        return f"{text}. Did you mean {by_plain[near]!r}?"
    if name in others:
        return f"{text}. Write {others[name]}"
    if near in _BY_PLAIN:
        return f"{text}. Here it is {_BY_PLAIN[near]}"
    elsewhere = {_plain(k): place for k, place in others.items()}
    if near in elsewhere:
        return f"{text}. Write {elsewhere[near]}"
    close = suggestion(name, known)
    return text if close is None else f"{text}. {close}"
