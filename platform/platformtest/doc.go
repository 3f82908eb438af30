// Package platformtest holds what the providers are tested with: Run, the suite
// that every provider passes, and Fake, a platform that keeps its apps in a
// world of its own and can be told to be slow, to fail at a step, to hang, or to
// lose the answer. The engine is tested against the Fake.
package platformtest
